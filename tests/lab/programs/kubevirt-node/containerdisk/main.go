// Command container-disk stands for KubeVirt's program of that name (cmd/container-disk-v2alpha, in C): it runs in a
// container of a guest's image, is copied there by KubeVirt, and holds the container open so that virt-handler finds the
// image's files by whoever listens on the socket. It is linked statically: such an image holds nothing but a disk.
package main

import (
	"flag"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	path := flag.String("copy-path", "", "where to listen, without the ending .sock")
	flag.StringVar(path, "c", "", "as --copy-path")
	noOp := flag.Bool("no-op", false, "end at once; shows that the program can run here")
	flag.BoolVar(noOp, "n", false, "as --no-op")
	flag.Parse()
	if *noOp {
		return
	}
	if err := hold(*path + ".sock"); err != nil {
		fmt.Fprintln(os.Stderr, "container-disk:", err)
		os.Exit(1)
	}
}

// hold listens until it is told to end, or the socket is gone, which KubeVirt takes for the same.
func hold(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connection.Close()
		}
	}()
	look := time.NewTicker(time.Second)
	for {
		select {
		case <-told:
			// Closing removes the socket.
			return listener.Close()
		case <-look.C:
			if _, err := os.Stat(path); err != nil {
				return fmt.Errorf("the socket is gone: %w", err)
			}
		}
	}
}
