// `waggle destroy`: deletes from Cloudflare what `waggle deploy` has made.

import type { Cli } from "../cli.ts";
import { confirmName } from "../confirm-name.ts";
import { refused, usageError } from "../errors.ts";
import { printLines } from "../output.ts";
import { readFoundParts } from "./account.ts";
import { applyDestroyStep } from "./apply.ts";
import { createCloudflareApi } from "./cloudflare-api.ts";
import { completeFile, loadDeployFile, removeDeployFile } from "./deploy-file.ts";
import { planDestruction } from "./destroy-plan.ts";
import { removeContext } from "./mesh-context.ts";
import { destroyStepText } from "./report.ts";
import { controlUrl } from "./settings.ts";

export type DestroyFlags = {
  readonly config: string;
  readonly name?: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
};

export async function destroy(cli: Cli, flags: DestroyFlags): Promise<void> {
  const file = await loadDeployFile(flags.config);
  if (file === null)
    throw refused(
      `there is no ${flags.config} here, the file that waggle deploy writes`,
      "run this in its folder, or give --config FILE",
    );
  const settings = completeFile(file, flags.config);
  const api = createCloudflareApi(cli);
  const found = await readFoundParts(api, settings);
  const { refusals, steps, left } = planDestruction(settings, file.made, found);
  if (refusals.length > 0)
    throw refused(
      refusals.map(({ message }) => message).join("; "),
      settings.zone === null || found.zone?.account.id === settings.account
        ? "nothing was deleted"
        : `nothing was deleted: give a token that sees the zone, whose records and routes would be left; if the zone has left Cloudflare, delete the Workers with "npx wrangler delete NAME", and then ${flags.config}`,
    );
  printLines(cli.out, [
    `The mesh ${settings.name} in the account ${settings.account}:`,
    ...steps.map((step) => `  ${destroyStepText(step)}`),
    ...(steps.length === 0 ? ["  nothing to delete"] : []),
    ...left.map((what) => `  leave   ${what}`),
  ]);
  if (flags.dryRun) return;
  const unchanged = "nothing was deleted";
  if (flags.name !== undefined && flags.name !== settings.name)
    throw usageError(`${flags.config} is for the mesh ${settings.name}, not ${flags.name}`, unchanged);
  await confirmName(cli, flags, {
    name: settings.name,
    verb: "delete",
    unchanged,
    otherwise: ", or --dry-run",
  });
  for (const step of steps) {
    await applyDestroyStep({ api, settings, found }, step);
    printLines(cli.out, [`done: ${destroyStepText(step)}`]);
  }
  const isContextGone = await removeContext(cli, settings.name, controlUrl(settings, found.workersDev));
  await removeDeployFile(flags.config);
  printLines(cli.out, [
    `done: ${flags.config} removed${isContextGone ? `, and the context ${settings.name}` : ""}`,
    left.length === 0
      ? "Nothing of the mesh is left on Cloudflare. Stop the agents on your machines."
      : `Left: ${left.join("; ")}`,
  ]);
}
