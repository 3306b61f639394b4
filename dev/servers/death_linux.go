package servers

import "syscall"

// dieWithUs has a program end with us, however that ends.
func dieWithUs(attributes *syscall.SysProcAttr) { attributes.Pdeathsig = syscall.SIGKILL }
