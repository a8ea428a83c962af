// Reads Docker's multiplexed stream of a service's logs, requested with times and details.
//
//   1 byte   1 stdout, 2 stderr, 3 an error of the stream
//   3 bytes  0
//   4 bytes  length of the rest, big endian
//   TIME com.docker.swarm.node.id=N,com.docker.swarm.service.id=S,com.docker.swarm.task.id=T LINE

import { CliError, exitCodes } from "../errors.ts";

export type PrintedLine = {
  readonly stream: "stdout" | "stderr";
  /** RFC 3339. */
  readonly time: string;
  readonly taskId: string;
  readonly nodeId: string;
  /** Without a line feed it is a part of a long line. */
  readonly text: string;
};

const headBytes = 8;
/** A longer frame comes from no mesh: a part of a line has 16 KiB. */
const maxFrameBytes = 65_536;

const shape =
  /^(\S{1,64}) com\.docker\.swarm\.node\.id=(\w*),com\.docker\.swarm\.service\.id=\w*,com\.docker\.swarm\.task\.id=(\w*) /;

/**
 * The lines as they come, those that came together in one list.
 *
 * @throws exit code 1 with the mesh's reason if it sends an error, or if the bytes are no such stream
 */
export async function* readDockerStream(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<readonly PrintedLine[], void, void> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const part of body) {
    rest = Buffer.concat([rest, part]);
    const lines: PrintedLine[] = [];
    let at = 0;
    let failure: CliError | null = null;
    while (failure === null && at + headBytes <= rest.length) {
      const length = rest.readUInt32BE(at + 4);
      const end = at + headBytes + length;
      if (length <= maxFrameBytes && end > rest.length) break;
      const read =
        length > maxFrameBytes ? notAStream() : readFrame(rest[at] ?? 0, rest.subarray(at + headBytes, end));
      if (read instanceof CliError) failure = read;
      else lines.push(read);
      at = end;
    }
    rest = rest.subarray(at);
    yield lines;
    if (failure !== null) throw failure;
  }
  if (rest.length > 0) throw notAStream();
}

function readFrame(kind: number, payload: Buffer): PrintedLine | CliError {
  const text = payload.toString();
  if (kind === 3) return new CliError(exitCodes.refused, reasonOf(text.trim()));
  const match = shape.exec(text);
  if (match === null) return notAStream();
  const [prefix, time = "", nodeId = "", taskId = ""] = match;
  return { stream: kind === 2 ? "stderr" : "stdout", time, nodeId, taskId, text: text.slice(prefix.length) };
}

/** The mesh's part of an error in SwarmKit's words. */
function reasonOf(error: string): string {
  const marker = "for the following reasons: ";
  const at = error.indexOf(marker);
  return at < 0 ? error : `logs are missing: ${error.slice(at + marker.length)}`;
}

function notAStream(): CliError {
  return new CliError(exitCodes.refused, "the mesh sent something else than logs, or broke them off");
}
