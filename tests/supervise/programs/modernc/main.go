// modernc's SQLite: C that was translated to Go, in a program without libc.
package main

import (
	"settle.test/supervise/store"

	_ "modernc.org/sqlite"
)

func main() { store.Run(store.SQL("sqlite")) }
