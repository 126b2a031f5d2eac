// Command docs writes the references in docs/ that are made from the program itself: commands.md from the command tree,
// configuration.md from the types of onyxia.yaml and the profiles. A test fails when the files differ from what would be written.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := write("docs"); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

// pages are the files by name.
func pages() (map[string]string, error) {
	configuration, err := configurationPage()
	if err != nil {
		return nil, err
	}
	return map[string]string{"commands.md": commandsPage(), "configuration.md": configuration}, nil
}

// write puts the pages into a folder.
func write(folder string) error {
	made, err := pages()
	if err != nil {
		return err
	}
	for name, text := range made {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}
