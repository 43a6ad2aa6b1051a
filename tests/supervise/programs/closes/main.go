// closes N [THREADS]: N opens and closes of no store by so many goroutines; says how many failed and how many nanoseconds an
// open took and a close.
package main

import (
	"fmt"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	count, _ := strconv.Atoi(os.Args[1])
	goroutines := 1
	if len(os.Args) > 2 {
		goroutines, _ = strconv.Atoi(os.Args[2])
	}
	var failed, opening, closing atomic.Int64
	var all sync.WaitGroup
	for g := 0; g < goroutines; g++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := 0; i < count/goroutines; i++ {
				began := time.Now()
				fd, err := syscall.Open("/dev/null", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
				opened := time.Now()
				if err != nil || syscall.Close(fd) != nil {
					failed.Add(1)
				}
				opening.Add(opened.Sub(began).Nanoseconds())
				closing.Add(time.Since(opened).Nanoseconds())
			}
		}()
	}
	all.Wait()
	fmt.Println("failed", failed.Load(), "open", opening.Load()/int64(count), "close", closing.Load()/int64(count))
}
