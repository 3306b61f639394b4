package s3test

import "syscall"

// dieWithUs has the server end with the test, however that ends.
func dieWithUs() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
