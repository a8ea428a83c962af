// The progress of a pull, from the JSON lines of the daemon.

import { z } from "zod";

const Line = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  error: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).optional(),
});

type Layer = { readonly current: number; readonly total: number };

export class PullProgress {
  readonly #image: string;
  readonly #layers = new Map<string, Layer>();
  /** The daemon's error; null without one. */
  error: string | null = null;

  constructor(image: string) {
    this.#image = image;
  }

  /** Reads one line; a line that cannot be read changes nothing. */
  read(line: string): void {
    const parsed = Line.safeParse(parseJson(line));
    if (!parsed.success) return;
    const { id, status, error, progressDetail } = parsed.data;
    if (error !== undefined) this.error = error.trim();
    if (id === undefined) return;
    const known = this.#layers.get(id);
    if (status === "Downloading" && progressDetail?.total)
      this.#layers.set(id, { current: progressDetail.current ?? 0, total: progressDetail.total });
    else if (known && /^(Download complete|Pull complete|Verifying)/.test(status ?? ""))
      this.#layers.set(id, { ...known, current: known.total });
  }

  /** `pulling nginx:1.27: 40 %`; without a number while no size is known. */
  get text(): string {
    const layers = [...this.#layers.values()];
    const total = layers.reduce((sum, layer) => sum + layer.total, 0);
    const current = layers.reduce((sum, layer) => sum + Math.min(layer.current, layer.total), 0);
    const share = total === 0 ? "" : `: ${Math.floor((100 * current) / total)} %`;
    return `pulling ${this.#image}${share}`;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
