package crisp

// What tests of package crisp_test need from the inside.
var ParseRetryAfter = parseRetryAfter
