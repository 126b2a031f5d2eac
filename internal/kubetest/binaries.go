package kubetest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/kubectl-onyxia/kubectl-onyxia/internal/testbed"
)

// programs are the files that a cluster needs, and the names under which testbed/build makes them.
var programs = map[string]string{"etcd": "etcd", "kube-apiserver": "apiserver"}

// binaries returns the folder with etcd and kube-apiserver; what is missing is built, once per machine.
func binaries() (string, error) {
	h, err := testbed.Home()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(h, "bin")
	if len(missing(bin)) == 0 {
		return bin, nil
	}
	if err := os.MkdirAll(h, 0o755); err != nil {
		return "", err
	}
	// Test binaries of several packages run at once; only one of them builds.
	lock, err := os.OpenFile(filepath.Join(h, "kubetest.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if err := build(bin); err != nil {
		return "", err
	}
	if m := missing(bin); len(m) > 0 {
		return "", fmt.Errorf("%v still not in %s after testbed/build", m, bin)
	}
	return bin, nil
}

func missing(bin string) (names []string) {
	for file, name := range programs {
		if _, err := os.Stat(filepath.Join(bin, file)); err != nil {
			names = append(names, name)
		}
	}
	return names
}

func build(bin string) error {
	names := missing(bin)
	if len(names) == 0 {
		return nil
	}
	root, err := testbed.Root()
	if err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "kubetest: building %v into %s, which takes some minutes the first time\n", names, bin)
	cmd := exec.Command(filepath.Join(root, "testbed", "build"), names...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("the tests need a real API server, and testbed/build %v failed: %w\n%s", names, err, out)
	}
	return nil
}
