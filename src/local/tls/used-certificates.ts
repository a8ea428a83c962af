// The certificates that a process has in use, as it records them in the state folder for the process that replaces it.
// Their keys are not recorded.

import { join } from "node:path";
import { z } from "zod";
import { readJsonFile } from "../../os/files.ts";
import { StateFile } from "../state-file.ts";

const UsedCertificates = z.array(z.object({ source: z.string(), names: z.array(z.string()) }));

/** A certificate in use: its file, and its names. */
export type UsedCertificate = z.infer<typeof UsedCertificates>[number];

const usedCertificatesFile = "certificates.json";

/** The file to which the certificates in use are written, each time they change. */
export function usedCertificatesRecord(stateDir: string, log: (line: string) => void): StateFile {
  return new StateFile(join(stateDir, usedCertificatesFile), log);
}

/** Those of the process that recorded them last; empty if none did, or the file cannot be read. */
export function readUsedCertificates(stateDir: string): readonly UsedCertificate[] {
  return readJsonFile(join(stateDir, usedCertificatesFile), UsedCertificates) ?? [];
}
