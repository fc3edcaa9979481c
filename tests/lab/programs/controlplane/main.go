// Command controlplane is etcd, kube-apiserver, kube-controller-manager and kubectl in one program, so that the lab
// links the Kubernetes libraries once. The first argument (or the name it is called by) picks the program.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/metrics/prometheus/clientgo" // client metrics, as the upstream mains register them
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
)

func main() {
	program, args := filepath.Base(os.Args[0]), os.Args[1:]
	if program == "controlplane" {
		if len(args) == 0 {
			fail("name a program: etcd, kube-apiserver, kube-controller-manager or kubectl")
		}
		program, args = args[0], args[1:]
	}

	var command *cobra.Command
	switch program {
	case "etcd":
		etcdmain.Main(append([]string{program}, args...))
		return
	case "kube-apiserver":
		command = apiserver.NewAPIServerCommand()
	case "kube-controller-manager":
		command = controllermanager.NewControllerManagerCommand()
	case "kubectl":
		// kubectl reads os.Args itself when it looks for plugins.
		os.Args = append([]string{program}, args...)
		command = kubectl.NewDefaultKubectlCommand()
	default:
		fail("unknown program " + program)
	}
	command.SetArgs(args)
	os.Exit(cli.Run(command))
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "controlplane:", message)
	os.Exit(2)
}
