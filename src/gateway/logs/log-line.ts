// A line of a task's output, as it goes from the task's node to the reader.

export type LogStream = "stdout" | "stderr";

/** A line with its time. A long line is several parts, as in Docker. */
export type LogLine = {
  readonly stream: LogStream;
  /** RFC 3339 in UTC with nine decimals, 30 characters: `2026-11-28T14:36:24.123456000Z`. Sorts as text. */
  readonly time: string;
  /** At most 16 KiB, bytes as the task wrote them. Without a line feed it is not the last part of its line. */
  readonly text: Uint8Array;
};

/** A longer line is split, bytes; Docker's size of a part. */
export const maxLogPartBytes = 16_384;

/** An epoch time in milliseconds as the time of a line. */
export function printLogTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000000Z`;
}

const timeShape = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/;

/** True for a text in the form of a line's time. */
export function isLogTime(text: string): boolean {
  return timeShape.test(text);
}
