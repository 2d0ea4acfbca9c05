package socketio

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// dialError says why there is no WebSocket. resp is the answer, if there was one.
func dialError(version int, resp *http.Response, err error) error {
	if resp != nil && resp.StatusCode != http.StatusSwitchingProtocols {
		return refused(version, resp)
	}
	if request := (*url.Error)(nil); errors.As(err, &request) {
		err = request.Err // without the method and the URL
	}
	switch {
	case errors.Is(err, ErrUnsupported):
		return err
	case refusedByHTTP2(err):
		return errHTTP2
	}
	if status := proxyStatus(err); status != 0 {
		return &ProxyError{StatusCode: status}
	}
	return fmt.Errorf("socketio: no WebSocket: %w", briefError{err})
}

var errHTTP2 = fmt.Errorf("%w: the HTTP client speaks HTTP/2 only: WebSockets need a transport that speaks HTTP/1.1", ErrUnsupported)

// refusedByHTTP2 reports whether a transport said that HTTP/2 has no Upgrade. Its
// error has no type.
func refusedByHTTP2(err error) bool {
	return strings.Contains(err.Error(), "http2: invalid Upgrade request header") ||
		strings.Contains(err.Error(), "http2: invalid Connection request header")
}

// proxyStatus returns the status with which a proxy refused to connect to the
// server, 0 if none did. All that [http.Transport] returns of it is an error whose
// text is that of the status.
func proxyStatus(err error) int {
	for status := 400; status < 600; status++ {
		if text := http.StatusText(status); text != "" && err.Error() == text {
			return status
		}
	}
	return 0
}

// refused returns the error for an HTTP answer that is no WebSocket.
func refused(version int, resp *http.Response) error {
	if resp.ProtoMajor > 1 {
		return errHTTP2
	}
	reason := refusalOf(resp.Body)
	if reason == RefusedVersion {
		return &VersionError{Wanted: version, Got: 7 - version}
	}
	return &UpgradeError{StatusCode: resp.StatusCode, RetryAfter: resp.Header.Get("Retry-After"), Reason: reason}
}

// refusalOf reads the reason that an Engine.IO server gives, as {"code", "message"}
// or as the message alone; "" if the body is none.
func refusalOf(body io.Reader) Refusal {
	const maxBody = 1024
	if body == nil {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(body, maxBody))
	if err != nil {
		return ""
	}
	var answer struct{ Code *int }
	if json.Unmarshal(text, &answer) == nil && answer.Code != nil {
		if code := *answer.Code; 0 <= code && code < len(refusals) {
			return refusals[code]
		}
		return ""
	}
	if i := slices.Index(refusals, Refusal(strings.TrimSpace(string(text)))); i >= 0 {
		return refusals[i]
	}
	return ""
}
