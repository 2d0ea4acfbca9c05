// Tool is a program: it counts when it is asked for.
package main

import "example.test/tidy"

func main() {
	if err := new(tidy.Client).Call(); err != nil {
		fail(err)
	}
}
