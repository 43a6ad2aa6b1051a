// Package store runs a test program's one loop: each line on the input opens the store named first in it, waits for
// another line, closes it, and says how many microseconds that took.
package store

import (
	"bufio"
	"fmt"
	"os"
	"time"
)

// Closer is what an open store is.
type Closer interface{ Close() error }

// Run ends with the input, or with the first error, which is the exit status 1.
func Run(open func(path string) (Closer, error)) {
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		opened, err := open(input.Text())
		exitOn(err)
		fmt.Println("open")
		if !input.Scan() {
			return
		}
		began := time.Now()
		err = opened.Close()
		took := time.Since(began)
		exitOn(err)
		fmt.Println("closed", took.Microseconds())
	}
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
