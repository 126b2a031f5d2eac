//go:build e2e

package e2e

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// signaled runs the plugin and sends it a signal as soon as it says a line that holds the text, and waits for its end. It gives all
// that was said.
func (b testbed) signaled(signal syscall.Signal, text string, args ...string) string {
	b.t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		b.t.Fatal(err)
	}
	defer read.Close()
	cmd := b.command(filepath.Join(b.root, "testbed", "demo"), append([]string{"plugin"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Stdout, cmd.Stderr = write, write
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	write.Close()
	var said strings.Builder
	sent := false
	for scanner := bufio.NewScanner(read); scanner.Scan(); {
		said.WriteString(scanner.Text() + "\n")
		if sent || !strings.Contains(scanner.Text(), text) {
			continue
		}
		sent = true
		if err := syscall.Kill(-cmd.Process.Pid, signal); err != nil {
			b.t.Errorf("%v at %q: %v", signal, text, err)
		}
	}
	ended := cmd.Wait()
	if !sent || ended == nil {
		b.t.Errorf("%v at %q: sent %v, and the run ended with %v\n%s", signal, text, sent, ended, said.String())
	}
	return said.String()
}
