// Runs the sequence of commands on one system.

import { setTimeout as pause } from "node:timers/promises";
import type { Output } from "../lab.ts";
import { type Command, commands } from "./commands.ts";

/** Runs a command line of a shell in the folder with the files of the sequence. */
export type Shell = (text: string) => Promise<Output>;

/**
 * @param say prints a line
 * @returns what each command printed
 */
export async function runCommands(shell: Shell, say: (line: string) => void): Promise<readonly Output[]> {
  const outputs: Output[] = [];
  for (const command of commands) {
    say(`$ ${command.text}`);
    const output = await shell(command.text);
    outputs.push(output);
    for (const line of (output.out + output.err).trimEnd().split("\n")) say(`  ${line}`);
    await settled(shell, command, say);
  }
  return outputs;
}

/** A service that does not get there shows in the commands that follow. */
const settleWithinMs = 15_000;

async function settled(shell: Shell, { until = {} }: Command, say: (line: string) => void): Promise<void> {
  for (const [name, replicas] of Object.entries(until)) {
    const script = `docker service ls --filter name=${name} --format '{{.Replicas}}'; docker service inspect ${name} --format '{{with .UpdateStatus}}{{.State}}{{end}}'; docker service ps ${name} --filter desired-state=running --format '{{.CurrentState}}'`;
    const deadlineMs = Date.now() + settleWithinMs;
    const isThere = (text: string): boolean =>
      text.startsWith(`${replicas}\n`) &&
      !/^(updating|rollback_started)$|^(New|Pending|Assigned|Accepted|Preparing|Ready|Starting)/m.test(text);
    for (let text = ""; !isThere(text); text = (await shell(script)).out) {
      if (Date.now() > deadlineMs) {
        say(`  # ${name} has not settled: ${text.trim().replaceAll("\n", ", ")}`);
        break;
      }
      await pause(100);
    }
  }
}
