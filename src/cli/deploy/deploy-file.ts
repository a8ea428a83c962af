// waggle.deploy.json on the disk.

import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { refused } from "../errors.ts";
import {
  type DeployFile,
  type DeploySettings,
  nothingMade,
  printDeployFile,
  readDeployFile,
} from "./settings.ts";

/** Null if the file does not exist. */
export async function loadDeployFile(path: string): Promise<DeployFile | null> {
  const text = await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT" || error.code === "ENOTDIR") return null;
    throw refused(`cannot read ${path}: ${error.message}`, "--config FILE names another file");
  });
  return text === null ? null : readDeployFile(text, path);
}

/** The settings, all of which deploy has written. @throws exit code 1 if one is missing */
export function completeFile({ made: _, ...answers }: DeployFile, path: string): DeploySettings {
  // A file from before there were forms.
  const { form = "single", account, name, zone, domain, controlHost, location, plan } = answers;
  if (
    account === undefined ||
    name === undefined ||
    zone === undefined ||
    domain === undefined ||
    controlHost === undefined ||
    location === undefined ||
    plan === undefined
  )
    throw refused(
      `${path} lacks answers: waggle deploy has not written it`,
      "run waggle deploy to the end first",
    );
  return { form, account, name, zone, domain, controlHost, location, plan };
}

/** @throws exit code 1 if the folder cannot be written; nothing has been deployed then */
export async function saveDeployFile(path: string, file: DeployFile): Promise<void> {
  const draft = `${path}.${process.pid}.new`;
  try {
    await writeFile(draft, printDeployFile(file));
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true }).catch(() => {});
    throw refused(
      `cannot write ${path}: ${(error as Error).message}`,
      "it keeps what deploy has made, for the next deploy and for destroy: --config FILE names another place",
    );
  }
}

export function removeDeployFile(path: string): Promise<void> {
  return rm(path, { force: true }).catch((error: Error) => {
    throw refused(`cannot remove ${path}: ${error.message}`, "remove it by hand");
  });
}

export const emptyDeployFile: DeployFile = { made: nothingMade };
