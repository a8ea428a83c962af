// Templates of `--format` beside the Docker CLI, which executes them on the list of its contexts without a daemon.

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { CliError } from "../../src/cli/errors.ts";
import { executeTemplate } from "../../src/cli/template/execute.ts";
import { parseTemplate } from "../../src/cli/template/parse.ts";

const hasDocker = spawnSync("docker", ["--version"]).status === 0;
const folder = mkdtempSync(join(tmpdir(), "waggle-templates-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** What both print; null if it is refused. */
function printed(template: string): { readonly docker: string | null; readonly waggle: string | null } {
  const { status, stdout } = spawnSync("docker", ["context", "ls", "--format", template], {
    env: { PATH: process.env.PATH, HOME: folder, DOCKER_CONTEXT: "default" },
    encoding: "utf8",
  });
  return { docker: status === 0 ? stdout.replace(/\n$/, "") : null, waggle: executed(template) };
}

function executed(template: string): string | null {
  try {
    return executeTemplate(parseTemplate(template), { Name: "default" });
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return null;
  }
}

const accepted = [
  "{{range 3}}{{.}};{{end}}",
  "{{range $v := 3}}{{$v}};{{end}}",
  "{{range -1}}x{{else}}none{{end}}",
  '{{range $i, $v := split "a,b" ","}}{{$i}}={{$v}};{{end}}',
  '{{range (len "abc")}}{{.}}{{end}}',
  "{{range 3}}{{if eq . 1}}{{continue}}{{end}}{{.}}{{end}}",
  "{{range 2}}{{range 3}}{{if eq . 1}}{{break}}{{end}}{{.}}{{end}};{{end}}",
  "{{$n := 0}}{{range 3}}{{$n = .}}{{end}}{{$n}}",
  "{{$i := 0}}{{range $i = 3}}{{$i}}{{end}}{{$i}}",
  "{{$z := 0}}{{if true}}{{$z := 1}}{{$z}}{{end}}{{$z}}",
  "{{with 0}}a{{else with 1}}b{{.}}{{end}}",
  "{{with $a := 3}}{{$a}}{{.}}{{end}}{{if $a := 0}}{{else}}no{{end}}",
  "{{range 0b11}}{{.}}{{end}} {{010}} {{0o17}} {{+3}} {{-0x10}} {{1_000}} {{1.}} {{1.5e-3}}",
  '{{.Name}} {{upper .Name}} {{printf "%v" 2.0}}',
];
const refused = [
  "{{range $i, $v := 3}}x{{end}}",
  "{{range $i, $v := 0}}x{{else}}none{{end}}",
  '{{range $i, $v := len "abc"}}x{{end}}',
  "{{range 2.0}}x{{end}}",
  "{{range 1e1}}x{{end}}",
  "{{range .Name}}x{{end}}",
  '{{range ""}}x{{end}}',
  "{{range true}}x{{end}}",
  "{{range nil}}x{{end}}",
  "{{nil}}",
  "{{range $a, $b, $c := 3}}x{{end}}",
  "{{with $a, $b := 3}}x{{end}}",
  "{{if $a, $b := 3}}x{{end}}",
  "{{with 0}}a{{else if 1}}b{{end}}",
  "{{range 0}}a{{else if 1}}b{{end}}",
  "{{range 0}}a{{else}}{{break}}{{end}}",
  "{{continue}}",
  "{{$y = 2}}",
  "{{if true}}{{$z := 1}}{{end}}{{$z}}",
  "{{99999999999999999999}}",
  "{{089}}",
];

const title = `a template${hasDocker ? "" : " (skipped: no docker command; apt-get install docker.io)"}`;

describe.skipIf(!hasDocker)(title, () => {
  test.each(accepted)("[L203] %j prints what the Docker CLI prints", (template) => {
    const { docker, waggle } = printed(template);
    expect(docker).not.toBeNull();
    expect(waggle).toBe(docker);
  });

  test.each(refused)("[L203] %j is refused, as by the Docker CLI", (template) => {
    expect(printed(template)).toEqual({ docker: null, waggle: null });
  });
});
