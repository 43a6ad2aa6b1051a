// mattn's SQLite, which is the C library by cgo; linked statically here.
package main

import (
	"settle.test/supervise/store"

	_ "github.com/mattn/go-sqlite3"
)

func main() { store.Run(store.SQL("sqlite3")) }
