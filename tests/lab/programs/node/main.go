// Command node is kube-scheduler, kubelet and kube-proxy in one program, so that the lab links the Kubernetes libraries
// once. The first argument (or the name it is called by) picks the program.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"          // --logging-format=json, as the upstream mains register it
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics, likewise
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func main() {
	program, args := filepath.Base(os.Args[0]), os.Args[1:]
	if program == "node" {
		if len(args) == 0 {
			fail("name a program: kube-scheduler, kubelet or kube-proxy")
		}
		program, args = args[0], args[1:]
	}

	var command *cobra.Command
	switch program {
	case "kube-scheduler":
		command = scheduler.NewSchedulerCommand()
	case "kubelet":
		command = kubelet.NewKubeletCommand(context.Background())
	case "kube-proxy":
		command = proxy.NewProxyCommand()
	default:
		fail("unknown program " + program)
	}
	command.SetArgs(args)
	os.Exit(cli.Run(command))
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "node:", message)
	os.Exit(2)
}
