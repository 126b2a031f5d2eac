package kubetest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// leash runs a program that dies with the test, however the test ends: the shell reads from a pipe that only the test
// holds open. That also works after a panic or a SIGKILL, where no clean-up of ours runs.
const leash = `"$@" 3<&- & pid=$!; (cat <&3 >/dev/null; kill -9 $pid) 2>/dev/null & wait $pid`

type process struct {
	name string
	log  string
	hold *os.File
	done chan struct{}
}

// spawn starts a program whose output goes to a file.
func spawn(log, program string, args ...string) (*process, error) {
	out, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	read, hold, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	cmd := exec.Command("sh", append([]string{"-c", leash, "leash", program}, args...)...)
	cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = out, out, []*os.File{read}
	if err := cmd.Start(); err != nil {
		hold.Close()
		return nil, err
	}
	p := &process{name: filepath.Base(program), log: log, hold: hold, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		// It ends by being killed; what matters of an early end stands in its log.
		_ = cmd.Wait()
	}()
	return p, nil
}

func (p *process) stop() {
	p.hold.Close()
	<-p.done
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// tail is the end of the log, for error messages.
func (p *process) tail() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(lines[max(0, len(lines)-5):], "\n")
}
