// Which of two releases is newer, by SemVer.

/** The release that runs, and the one of this package. */
export type Releases = {
  /** Null if it is unknown: the mesh does not answer, or its token is not known here. */
  readonly running: string | null;
  readonly own: string;
};

/** True if the running release is known to be newer than this package's. */
export function isDowngrade({ running, own }: Releases): boolean {
  const [theirs, ours] = [parts(running ?? ""), parts(own)];
  if (theirs === null || ours === null) return false;
  const at = theirs.numbers.findIndex((number, index) => number !== ours.numbers[index]);
  if (at >= 0) return (theirs.numbers[at] ?? 0) > (ours.numbers[at] ?? 0);
  // A pre-release comes before its release (SemVer 11); two of them are compared by their text.
  if (ours.pre === null || theirs.pre === null) return ours.pre !== null && theirs.pre === null;
  return theirs.pre.localeCompare(ours.pre, "en", { numeric: true }) > 0;
}

function parts(release: string): { readonly numbers: readonly number[]; readonly pre: string | null } | null {
  const [, major, minor, patch, pre = null] =
    /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-([0-9A-Za-z.-]{1,64}))?$/.exec(release) ?? [];
  if (major === undefined) return null;
  return { numbers: [major, minor, patch].map(Number), pre };
}
