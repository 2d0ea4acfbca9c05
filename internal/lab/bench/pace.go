package main

import (
	"fmt"
	"net"
	"time"
)

// sendPaced writes the events one by one at the workload's rate, each with the
// time of its writing, in microseconds since 1970, as its fingerprint.
func sendPaced(conn net.Conn, load workload, frames [][]byte) error {
	const tick = 100 * time.Microsecond
	began := time.Now()
	for sent := 0; sent < load.Events; {
		due := min(load.Events, int(time.Since(began).Seconds()*float64(load.Rate)))
		for ; sent < due; sent++ {
			frame := frames[sent%len(frames)]
			stamp(fingerprintIn(frame), time.Now())
			if _, err := conn.Write(frame); err != nil {
				return err
			}
		}
		time.Sleep(tick)
	}
	return nil
}

func stamp(place []byte, at time.Time) {
	copy(place, fmt.Sprintf("%0*d", fingerprintDigits, at.UnixMicro()))
}
