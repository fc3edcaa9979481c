// Command kubevirt is KubeVirt's virt-api and virt-controller in one program, with a writer of the objects they need, so
// that the lab links the Kubernetes libraries once. The first argument (or the name it is called by) picks the program.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"kubevirt.io/client-go/log"
	"kubevirt.io/kubevirt/pkg/service"
	virtapi "kubevirt.io/kubevirt/pkg/virt-api"
	virtcontroller "kubevirt.io/kubevirt/pkg/virt-controller/watch"
)

func main() {
	program, args := filepath.Base(os.Args[0]), os.Args[1:]
	if program == "kubevirt" {
		if len(args) == 0 {
			fail("name a program: virt-api, virt-controller or kubevirt-objects")
		}
		program, args = args[0], args[1:]
	}
	// virt-api and virt-controller parse os.Args with the flags they define when they start, not when they are linked.
	os.Args = append([]string{program}, args...)

	switch program {
	case "virt-api":
		log.InitializeLogging(program)
		app := virtapi.NewVirtApi()
		service.Setup(app)
		app.Execute()
	case "virt-controller":
		virtcontroller.Execute()
	case "kubevirt-objects":
		if err := writeObjects(args); err != nil {
			fail(err.Error())
		}
	default:
		fail("unknown program " + program)
	}
}

func fail(message string) {
	fmt.Fprintln(os.Stderr, "kubevirt:", message)
	os.Exit(2)
}
