package secret

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// limit is more than any file with a secret holds, in bytes.
const limit = 1 << 20

// ReadFile reads a file that holds a secret: opened once and read to its end, so that a pipe does as well, such as a shell's
// <(...).
func ReadFile(name string) ([]byte, error) {
	text, _, err := read(name)
	return text, err
}

// Variable is what the environment has under a name, or the file that the same name with _FILE at its end gives; empty for
// neither. A pipe can be read once, and a run needs the value each time that it looks: so it is kept as the variable's own.
func Variable(name string) (Text, error) {
	file := os.Getenv(name + "_FILE")
	if value := os.Getenv(name); value != "" || file == "" {
		return New(value), nil
	}
	text, again, err := read(file)
	if err != nil {
		return Text{}, fmt.Errorf("%s_FILE: %w", name, err)
	}
	value := strings.TrimRight(string(text), "\r\n")
	if value == "" {
		return Text{}, fmt.Errorf("%s_FILE: %s is empty", name, file)
	}
	if !again {
		err = os.Setenv(name, value)
	}
	return New(value), err
}

// read also reports whether the file can be read again.
func read(name string) (text []byte, again bool, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, false, err
	}
	info, err := file.Stat()
	if err == nil {
		text, err = io.ReadAll(io.LimitReader(file, limit+1))
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return nil, false, err
	}
	if len(text) > limit {
		return nil, false, fmt.Errorf("%s holds more than %d bytes, which no secret has", name, limit)
	}
	return text, info.Mode().IsRegular(), nil
}

// Regular reports whether a file can be read without taking its content from another reader.
func Regular(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}
