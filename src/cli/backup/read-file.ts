// Reads the file of a backup line by line, in the memory of one part.

import { createReadStream } from "node:fs";
import { printable } from "../../domain/model/printable.ts";
import { readFailure } from "../../os/files.ts";
import { refused } from "../errors.ts";
import { type BackupHead, type OpenLine, openFile, readHead, UnreadableHead } from "./file-format.ts";

/** A longer line is not part of a backup, bytes. */
const maxLineBytes = 4 * 1_048_576;
/** The same for the two lines of the head. */
const maxBackupHeadBytes = 8_192;

/** A backup, opened as often as it is read. */
export class BackupFile {
  readonly path: string;
  readonly head: BackupHead;

  private constructor(path: string, head: BackupHead) {
    this.path = path;
    this.head = head;
  }

  /** Reads the head. @throws CliError if there is no such file, or it is no backup that this release reads */
  static async open(path: string): Promise<BackupFile> {
    const lines = linesOf(path, maxBackupHeadBytes);
    const [first, second] = [await lines.next(), await lines.next()];
    await lines.return();
    if (first.done) throw refused(`${path} is empty`, "waggle backup FILE writes a backup");
    try {
      return new BackupFile(path, readHead(first.value.text, second.done ? "" : second.value.text));
    } catch (error) {
      if (!(error instanceof UnreadableHead)) throw error;
      throw refused(`${path} ${error.message}`, error.hint);
    }
  }

  /** @throws CliError if the passphrase is another one */
  async unlock(passphrase: string): Promise<OpenLine> {
    const open = await openFile(this.head, passphrase);
    if (open !== null) return open;
    const { mesh, at } = this.head.header;
    throw refused(
      `the passphrase does not open ${this.path}`,
      `it is the backup of the mesh ${printable(mesh.name)} of ${at}, and has the passphrase that was given then`,
    );
  }

  /** The sealed lines of all parts. @throws CliError if the file is longer or shorter than it should be */
  async *lines(): AsyncGenerator<string, void, void> {
    const { parts } = this.head.header;
    let number = -2;
    for await (const { text, isWhole } of linesOf(this.path, maxLineBytes)) {
      if (number >= parts) throw refused(`${this.path} goes on after its last part`, changedHint);
      if (number >= 0 && !isWhole) break;
      if (number >= 0) yield text;
      number += 1;
    }
    if (number < parts) {
      const has = Math.max(0, number);
      throw refused(`${this.path} ends too early: it has ${has} of ${parts} parts`, changedHint);
    }
  }

  /** The content of all parts. @throws CliError as `lines`, and if a part was changed */
  async *parts(open: OpenLine): AsyncGenerator<Buffer, void, void> {
    let number = 0;
    for await (const line of this.lines()) {
      const part = open(number, line);
      if (part === null)
        throw refused(`part ${number + 1} of ${this.path} was changed after it was written`, changedHint);
      yield part;
      number += 1;
    }
  }
}

const changedHint = "take another copy of the file; nothing was changed";

/** `isWhole`: it ends with a line end. */
type Line = { readonly text: string; readonly isWhole: boolean };

/** @throws CliError if the file cannot be read, or has longer lines */
async function* linesOf(path: string, maxBytes: number): AsyncGenerator<Line, void, void> {
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(path)) {
      let from = 0;
      const bytes = Buffer.concat([rest, chunk as Buffer]);
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
        yield { text: bytes.toString("utf8", from, end), isWhole: true };
        from = end + 1;
      }
      rest = bytes.subarray(from);
      if (rest.length > maxBytes) break;
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    throw refused(`cannot read ${path}: ${readFailure(error as NodeJS.ErrnoException)}`);
  }
  if (rest.length > 0) yield { text: rest.toString("utf8", 0, maxBytes), isWhole: false };
}
