package kube

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// process is who holds a lock.
type process struct {
	user string
	host string
	pid  int
	// machine tells kernels and their process namespaces apart, so that a pid means the same to two of us. It is empty
	// where the system has no such thing; then nobody is known to be dead.
	machine string
	// started tells two processes with the same pid apart.
	started string
}

// thisProcess names ourselves. Names that the system does not give are left open; they are for people only.
func thisProcess() process {
	p := process{user: "unknown", host: "unknown", pid: os.Getpid()}
	if u, err := user.Current(); err == nil {
		p.user = u.Username
	}
	if host, err := os.Hostname(); err == nil {
		p.host = host
	}
	p.machine = machine()
	p.started, _ = started(p.pid)
	return p
}

// String is user@host/pid.
func (p process) String() string { return fmt.Sprintf("%s@%s/%d", p.user, p.host, p.pid) }

// mark is what others on the same machine need to see whether the process lives; unlike String it is unique.
func (p process) mark() string { return fmt.Sprintf("%s/%d/%s", p.machine, p.pid, p.started) }

// knowsDead tells whether a mark is of a process that certainly no longer runs: one on this machine whose pid is free or
// belongs to another process now.
func (p process) knowsDead(mark string) bool {
	parts := strings.Split(mark, "/")
	if len(parts) != 3 || p.machine == "" || parts[0] != p.machine || parts[2] == "" {
		return false
	}
	pid, err := strconv.Atoi(parts[1])
	if err != nil {
		return false
	}
	now, err := started(pid)
	return errors.Is(err, os.ErrNotExist) || err == nil && now != parts[2]
}

// machine is the boot and the process namespace (Linux, proc(5) and pid_namespaces(7)); empty elsewhere.
func machine() string {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(boot)) + "-" + strings.Trim(strings.TrimPrefix(namespace, "pid:"), "[]")
}

// started is when a process began, in clock ticks since boot (field 22 of proc_pid_stat(5), counted after the command's name).
func started(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const afterName = 22 - 3
	if len(fields) <= afterName {
		return "", fmt.Errorf("process %d: unexpected form of /proc/%d/stat", pid, pid)
	}
	if fields[0] == "Z" || fields[0] == "X" {
		// It has ended; only its parent has not asked how.
		return "", os.ErrNotExist
	}
	return fields[afterName], nil
}
