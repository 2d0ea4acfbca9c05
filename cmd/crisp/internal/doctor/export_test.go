package doctor

// Spelt is spelt, for tests.
var Spelt = spelt
