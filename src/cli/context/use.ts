// `waggle context use` and `show`: the context that commands use.

import type { Command } from "commander";
import type { Cli } from "../cli.ts";
import { warnings } from "../flags.ts";
import { targetSource } from "../mesh-target.ts";
import { contextNamed, defaultContext } from "./contexts.ts";
import { changeContexts, loadContexts } from "./store.ts";

export function registerContextUse(parent: Command, cli: Cli): void {
  parent
    .command("use")
    .argument("<context>", `name; ${defaultContext}: none`)
    .summary("set the context in use")
    .description(
      "Set the context that commands use. `default` is the mesh of the folder .waggle, else the one that `waggle up` runs.",
    )
    .addHelpText("after", "\nExamples:\n  waggle context use prod\n  waggle context use default")
    .action(async (name: string) => {
      await changeContexts(cli.env, warnings(cli), (all) => {
        if (name !== defaultContext) contextNamed(all, name);
        return { ...all, current: name === defaultContext ? null : name };
      });
      cli.out.write(`${name}\n`);
      const source = targetSource({}, cli.env);
      if (source.kind !== "default" && "from" in source)
        warnings(cli)(`${source.from} is set, and takes precedence over the context`);
    });
}

export function registerContextShow(parent: Command, cli: Cli): void {
  parent
    .command("show")
    .summary("print the name of the context in use")
    .description("Print the name of the context in use.")
    .addHelpText("after", "\nExample:\n  waggle context show")
    .action(async () => {
      const source = targetSource({}, cli.env);
      const { current } = await loadContexts(cli.env, warnings(cli));
      const name = source.kind === "context" ? source.name : source.kind === "default" ? current : null;
      cli.out.write(`${name ?? defaultContext}\n`);
    });
}
