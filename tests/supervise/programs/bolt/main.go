// bbolt. With an argument it opens read-only: then its flock goes with the descriptor alone.
package main

import (
	"os"
	"time"

	"settle.test/supervise/store"

	bolt "go.etcd.io/bbolt"
)

func main() {
	readOnly := len(os.Args) > 1
	store.Run(func(path string) (store.Closer, error) {
		return bolt.Open(path, 0o644, &bolt.Options{ReadOnly: readOnly, Timeout: time.Second})
	})
}
