// The commands of pages without containers, and Docker's commands in the text of all pages.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { dockerHint } from "../../src/cli/docker-words.ts";
import { readPages } from "../support/pages.ts";
import { missingPrograms } from "../support/program.ts";
import { testPages } from "../support/test-pages.ts";
import { everyCommand } from "../unit/cli/support.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

testPages(["a clone", "a mesh"]);

const hasDocker = missingPrograms(["docker"]).length === 0;
const title = hasDocker
  ? "Docker's CLI"
  : "Docker's CLI (skipped: no docker command; apt-get install docker.io)";

describe.skipIf(!hasDocker)(title, () => {
  const helps = new Map<string, string>();
  const helpOf = (verb: string): string => {
    const known = helps.get(verb);
    if (known !== undefined) return known;
    const { stdout } = spawnSync("docker", [...verb.split(" "), "--help"], { encoding: "utf8" });
    helps.set(verb, stdout);
    return stdout;
  };

  test.each(["create", "update"])("[U581] has no flag of service %s that waggle knows nothing of", (verb) => {
    const flags = [...helpOf(`service ${verb}`).matchAll(/^ +(?:-\w, )?(--[a-z-]+)/gm)].map(
      ([, flag]) => flag ?? "",
    );
    expect(flags.length).toBeGreaterThan(50);
    const command = everyCommand().find(({ path }) => path.join(" ") === `service ${verb}`)?.command;
    const own = new Set(command?.options.map(({ long }) => long));
    const unknown = flags.filter((flag) => !own.has(flag) && dockerHint(["service", verb], flag) === "");
    expect(unknown).toEqual([]);
  });

  test("[U581] has no command that waggle knows nothing of", () => {
    const { stdout } = spawnSync("docker", ["--help"], { encoding: "utf8" });
    // A star marks a plugin, which a machine need not have.
    const commands = [...stdout.matchAll(/^ {2}([a-z]+)\*? /gm)].map(([, command]) => command ?? "");
    expect(commands.length).toBeGreaterThan(50);
    const own = new Set(everyCommand().map(({ path: [first] }) => first));
    const unknown = commands.filter((command) => !own.has(command) && dockerHint([command], command) === "");
    expect(unknown).toEqual([]);
  });

  test("[U526] has each of its commands in the text of a page, with the flags", () => {
    const wrong = readPages().flatMap(({ path }) =>
      [...readFileSync(join(root, path), "utf8").matchAll(/`docker ([a-z][^`\n]*)`/g)].flatMap(
        ([said = "", words = ""]) => {
          const [first = "", second = ""] = words.split(" ");
          const verb = [`${first} ${second}`, first].find((name) => helpOf(name).includes(`docker ${name} `));
          // Compose is a plugin, which a machine need not have.
          if (first === "compose") return [];
          const isGroup = verb === first && helpOf(first).includes(`docker ${first} COMMAND`);
          if (verb === undefined || (isGroup && /^[a-z]+$/.test(second)))
            return [`${path}: ${said}: no such command`];
          const flags = words.match(/(?<= )--?[a-z][a-z-]*/g) ?? [];
          return flags
            .filter((flag) => !new RegExp(`(?:^|[ ,])${flag}(?:[ ,]|$)`, "m").test(helpOf(verb)))
            .map((flag) => `${path}: ${said}: no flag ${flag}`);
        },
      ),
    );
    expect(wrong).toEqual([]);
    expect(helps.size).toBeGreaterThan(20);
  });
});
