import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { joinAtEquals } from "../../../src/cli/completion/completion.ts";
import { completionScript, shells } from "../../../src/cli/completion/scripts.ts";
import { node, service } from "./engine-objects.ts";
import { everyCommand, type FakeMesh, fakeMesh, runCli, runOn, serverStatus } from "./support.ts";

const bin = fileURLToPath(new URL("../../../bin/waggle", import.meta.url));
const routes = {
  "GET /services": { json: [service("my-web"), service("api")] },
  "GET /nodes": { json: [node("node1"), node("node2")] },
  "GET /mesh/servers": { json: [{ ...serverStatus("a", "UP"), service: "my-web" }] },
};

async function complete(mesh: FakeMesh, words: string[], shell = "fish"): Promise<string[]> {
  const { code, out, err } = await runOn(mesh, ["__complete", "--shell", shell, "--", ...words]);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  return out
    .split("\n")
    .flatMap((line) => line.split("\t", 1))
    .filter((word) => word !== "");
}

describe("[L13] completion offers", () => {
  test.each([
    ["verbs", ["ser"], ["service", "server"]],
    ["verbs of a group", ["service", "s"], ["scale"]],
    ["flags", ["service", "update", "--publish"], ["--publish-add", "--publish-rm"]],
    [
      "flags, after a flag with its value",
      ["service", "create", "--name", "service", "--repl"],
      ["--replicas", "--replicas-max-per-node"],
    ],
    ["values of a flag", ["node", "update", "--availability", ""], ["active", "pause", "drain"]],
    ["values of a flag in the same word", ["service", "create", "--mode=g"], ["--mode=global"]],
    ["files for a path", ["up", "--images", ""], [":files"]],
    ["names of services", ["service", "rm", "my-web", ""], ["my-web", "api"]],
    ["names of services by an alias of the verb", ["service", "remove", "my"], ["my-web"]],
    ["names of services to scale", ["service", "scale", "a"], ["api=", ":nospace"]],
    ["names of static servers", ["server", "set", ""], ["my-web/a"]],
    ["services to add a server to", ["server", "add", "a"], ["api"]],
    ["files to import", ["import", ""], [":files"]],
    ["names of nodes", ["node", "update", "--availability", "drain", "node1"], ["node1"]],
    ["no second node for a single argument", ["node", "update", "node1", ""], []],
    ["values of an argument", ["completion", ""], ["bash", "zsh", "fish"]],
    [
      "nothing after an image, whose arguments belong to the task",
      ["service", "create", "nginx", "--na"],
      [],
    ],
    ["nothing after --", ["service", "rm", "--", "m"], []],
    ["nothing for an unknown flag's value", ["service", "ls", "--nope="], []],
  ])("[L13] %s: %j", async (_title, words, expected) => {
    await using mesh = await fakeMesh(routes);
    expect(await complete(mesh, words)).toEqual(expected);
  });

  test("[L13] names from the mesh of the connection flags on the line", async () => {
    await using mesh = await fakeMesh(routes);
    const ran = await runCli(["__complete", "--shell", "zsh", "--", "-H", mesh.url, "service", "ps", "a"]);
    expect(ran.out).toBe("api\tservice\n");
  });

  test("[L13] no names and no error if the mesh is unreachable", async () => {
    const ran = await runCli(["__complete", "--shell", "bash", "--", "service", "rm", ""], {
      env: { WAGGLE_HOST: "http://127.0.0.1:1" },
    });
    expect(ran).toEqual({ code: 0, out: "", err: "" });
  });

  test("[L13] every verb and flag that the help shows", async () => {
    await using mesh = await fakeMesh(routes);
    for (const { path, command } of everyCommand()) {
      const help = command.createHelp();
      const flags = help.visibleOptions(command).map((option) => option.long);
      expect(await complete(mesh, [...path, "-"])).toEqual(flags);
      const verbs = help.visibleCommands(command).map((child) => child.name());
      if (command.commands.length > 0) expect(await complete(mesh, [...path, ""])).toEqual(verbs);
    }
  });
});

test("[L13] words that Bash splits at = are joined", () => {
  expect(joinAtEquals(["service", "create", "--mode", "=", "g"])).toEqual(["service", "create", "--mode=g"]);
  expect(joinAtEquals(["service", "create", "--mode", "="])).toEqual(["service", "create", "--mode="]);
  expect(joinAtEquals(["service", "scale", "a", "=", "3"])).toEqual(["service", "scale", "a", "=", "3"]);
});

describe("[L13] in Bash", () => {
  const typed = async (mesh: FakeMesh, ...words: string[]) => {
    const quoted = words.map((word) => `'${word}'`).join(" ");
    const script = `${completionScript("bash")}
COMP_WORDS=('${bin}' ${quoted}); COMP_CWORD=${words.length}
_waggle; printf '%s\\n' "\${COMPREPLY[@]}"`;
    const env = { ...process.env, WAGGLE_HOST: mesh.url };
    const { stdout } = await promisify(execFile)("bash", ["-c", script], { env });
    return stdout.trimEnd().split("\n");
  };

  test("[L13] verbs, names from the mesh, and the values of a flag after =", async () => {
    await using mesh = await fakeMesh(routes);
    expect(await typed(mesh, "service", "u")).toEqual(["update"]);
    expect(await typed(mesh, "service", "ps", "")).toEqual(["my-web", "api"]);
    expect(await typed(mesh, "service", "create", "--mode", "=", "g")).toEqual(["global"]);
    expect(await typed(mesh, "service", "create", "--mode", "=")).toEqual(["replicated", "global"]);
  });
});

test.each(shells)("[L13] waggle completion %s prints its script", async (shell) => {
  const { code, out } = await runCli(["completion", shell]);
  expect({ code, out }).toEqual({ code: 0, out: completionScript(shell) });
});

test("[L13] an unknown shell is refused, with the supported ones", async () => {
  expect(await runCli(["completion", "tcsh"])).toMatchObject({
    code: 2,
    err: expect.stringContaining("bash, zsh, fish"),
  });
});
