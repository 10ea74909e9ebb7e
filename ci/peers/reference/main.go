// Reads many Compose projects in one process, each as `docker compose config --format json` reads it.
//
// A line on stdin is one project, as JSON: the working directory, the arguments before `config`, the whole environment.
// A line on stdout answers it: what would be printed, or why it is refused. The loader is the reference's own; what
// stands here is what its command does around it (cmd/compose/compose.go and config.go of v2.40.3), and
// `ci/differential.py` holds a sample of the answers against the released binary.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/utils"
	"github.com/docker/cli/pkg/kvfile"
	"github.com/sirupsen/logrus"
)

type question struct {
	Dir  string            `json:"dir"`
	Args []string          `json:"args"`
	Env  map[string]string `json:"env"`
}

type answer struct {
	Project json.RawMessage `json:"project,omitempty"`
	Refused string          `json:"refused,omitempty"`
}

func main() {
	logrus.SetOutput(io.Discard)
	dotenv.RegisterFormat("raw", rawEnv)
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return
		}
		var asked question
		if err := json.Unmarshal(line, &asked); err != nil {
			panic(err)
		}
		said, err := json.Marshal(read(asked))
		if err != nil {
			panic(err)
		}
		out.Write(said)
		out.WriteByte('\n')
		out.Flush()
	}
}

// read answers one question; a loader that panics has refused.
func read(asked question) (said answer) {
	defer func() {
		if err := recover(); err != nil {
			said = answer{Refused: fmt.Sprintf("panic: %v", err)}
		}
	}()
	os.Clearenv()
	for name, value := range asked.Env {
		os.Setenv(name, value)
	}
	// The shell that would run the command sets it.
	os.Setenv("PWD", asked.Dir)
	if err := os.Chdir(asked.Dir); err != nil {
		panic(err)
	}
	content, err := config(asked.Args)
	if err != nil {
		return answer{Refused: err.Error()}
	}
	return answer{Project: content}
}

type options struct {
	files, profiles, envFiles []string
	name, directory           string
}

func parse(args []string) (options, error) {
	var o options
	for len(args) > 1 {
		value := args[1]
		switch args[0] {
		case "-f":
			o.files = append(o.files, value)
		case "--profile":
			o.profiles = append(o.profiles, value)
		case "--env-file":
			file, err := filepath.Abs(value)
			if err != nil {
				return o, err
			}
			o.envFiles = append(o.envFiles, file)
		case "-p":
			o.name = value
		case "--project-directory":
			o.directory = value
		default:
			panic("unknown argument " + args[0])
		}
		args = args[2:]
	}
	return o, nil
}

func config(args []string) ([]byte, error) {
	o, err := parse(args)
	if err != nil {
		return nil, err
	}
	setComposeVariables(o)
	ctx := context.Background()
	project, err := cli.NewProjectOptions(o.files,
		cli.WithInterpolation(true),
		cli.WithResolvedPaths(true),
		cli.WithNormalization(true),
		cli.WithConsistency(true),
		cli.WithDefaultProfiles(o.profiles...),
		cli.WithDiscardEnvFile,
		cli.WithWorkingDirectory(o.directory),
		cli.WithOsEnv,
		cli.WithEnvFiles(o.envFiles...),
		cli.WithDotEnv,
		cli.WithConfigFileEnv,
		cli.WithDefaultConfigPath,
		cli.WithEnvFiles(o.envFiles...),
		cli.WithDotEnv,
		cli.WithDefaultProfiles(o.profiles...),
		cli.WithName(o.name),
	)
	if err != nil {
		return nil, err
	}
	read, err := project.LoadProject(ctx)
	if err != nil {
		return nil, err
	}
	if read.Name == "" {
		return nil, errors.New("project name can't be empty")
	}
	if read, err = read.WithServicesEnabled(); err != nil {
		return nil, err
	}
	if read, err = read.WithSelectedServices(nil); err != nil {
		return nil, err
	}
	read = read.WithoutUnnecessaryResources()
	if read, err = read.WithServicesEnvironmentResolved(true); err != nil {
		return nil, err
	}
	if err := read.CheckContainerNameUnicity(); err != nil {
		return nil, err
	}
	content, err := read.MarshalJSON()
	if err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(content, []byte("$"), []byte("$$")), nil
}

// setComposeVariables takes what begins with COMPOSE_ out of `.env` into the environment, before anything is read.
func setComposeVariables(o options) {
	project, err := cli.NewProjectOptions(o.files,
		cli.WithWorkingDirectory(o.directory),
		cli.WithOsEnv,
		cli.WithEnvFiles(o.envFiles...),
		cli.WithDotEnv,
	)
	if err != nil {
		return
	}
	values, err := dotenv.GetEnvFromFile(utils.GetAsEqualsMap(os.Environ()), project.EnvFiles)
	if err != nil {
		return
	}
	for name, value := range values {
		if _, set := os.LookupEnv(name); !set && strings.HasPrefix(name, "COMPOSE_") {
			os.Setenv(name, value)
		}
	}
}

// rawEnv reads an env file of the format `raw`.
func rawEnv(r io.Reader, filename string, values map[string]string, lookup func(string) (string, bool)) error {
	lines, err := kvfile.ParseFromReader(r, lookup)
	if err != nil {
		return fmt.Errorf("failed to parse env_file %s: %w", filename, err)
	}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		values[name] = value
	}
	return nil
}
