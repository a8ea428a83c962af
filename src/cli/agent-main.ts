// The process of the agent that is one file: `node waggle-agent.mjs --join TOKEN URL` is `waggle agent`. The same
// file is the program of the image waggle/whoami.

import { whoamiArgument } from "../package/program-files.ts";
import { defineAgent } from "./agent.ts";
import { exitOnOutputError, processCli } from "./process-cli.ts";
import { rootCommand, runCommand } from "./run-command.ts";

if (process.argv[2] === whoamiArgument) {
  await import("../agent/whoami.ts");
} else {
  exitOnOutputError();
  process.exitCode = await runCommand(process.argv.slice(2), processCli, (cli) =>
    defineAgent(rootCommand("waggle-agent", cli), cli),
  );
}
