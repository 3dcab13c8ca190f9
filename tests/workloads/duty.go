// As duty.c, in Go.

package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"
)

const clockThreadCPUTime = 3

var sink uint64

//go:noinline
func now() uint64 {
	var time syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPUTime, uintptr(unsafe.Pointer(&time)), 0)
	return uint64(time.Sec)*1000000000 + uint64(time.Nsec)
}

// Each loops by itself: a function that calls nothing has no frame, so that its caller is not known.

//go:noinline
func a(ns uint64) {
	for until := now() + ns; now() < until; {
		for i := 0; i < 20000; i++ {
			sink = sink*3 + 1
		}
	}
}

//go:noinline
func b(ns uint64) {
	for until := now() + ns; now() < until; {
		for i := 0; i < 20000; i++ {
			sink = sink*5 + 1
		}
	}
}

//go:noinline
func c(ns uint64) {
	for until := now() + ns; now() < until; {
		for i := 0; i < 20000; i++ {
			sink = sink*7 + 1
		}
	}
}

//go:noinline
func d(ns uint64) {
	for until := now() + ns; now() < until; {
		for i := 0; i < 20000; i++ {
			sink = sink*9 + 1
		}
	}
}

func main() {
	// The clock is that of one thread.
	runtime.LockOSThread()
	functions := []func(uint64){a, b, c, d}
	milliseconds := uint64(1000)
	if len(os.Args) > 1 {
		milliseconds, _ = strconv.ParseUint(os.Args[1], 10, 64)
	}
	spent := make([]uint64, len(functions))
	chance := uint64(1)
	for end := now() + milliseconds*1000000; now() < end; {
		for i, function := range functions {
			chance = chance*6364136223846793005 + 1442695040888963407
			length := uint64(i+1) * (500000 + (chance>>33)%1000000)
			began := now()
			function(length)
			spent[i] += now() - began
		}
	}
	for i, ns := range spent {
		fmt.Printf("%c %d\n", "abcd"[i], ns)
	}
}
