// Cloudflare's responses in the place of a target that it could not reach: which of them prove that nothing was sent.

/**
 * By status, the codes of failures before a connection: it was refused (521), there is no route to the address (523), no
 * TLS (525, 526), no address (1016), no connected tunnel (1033). 520, 522, 524 and 527 may come after the request was
 * sent.
 *
 * @see https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
 */
const unconnectedCodes: Readonly<Record<number, readonly number[]>> = {
  521: [521],
  523: [523],
  525: [525],
  526: [526],
  530: [1016, 1033],
};

/** Longer than the platform's body, such as `error code: 521`. */
const maxCodeBytes = 64;
/** The platform's body comes with its head. Milliseconds. */
const maxCodeMs = 1_000;

/**
 * True if a response is the platform's, as its body shows, and says that it did not connect to the target. An
 * application that responds with such a status has another body. Reads the body if the status is one of these.
 */
export async function wasNotConnected({ status, body }: Response): Promise<boolean> {
  const codes = unconnectedCodes[status];
  if (codes === undefined || body === null) return false;
  const reader = body.getReader();
  const late = new Promise<null>((resolve) => setTimeout(resolve, maxCodeMs, null));
  const text = await Promise.race([shortText(reader), late]);
  if (text === null) await reader.cancel();
  return codes.some((code) => text?.trim() === `error code: ${code}`);
}

/** The whole text of a body; null if it is longer than the platform's. */
async function shortText(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string | null> {
  const decoder = new TextDecoder();
  let text = "";
  while (text.length < maxCodeBytes) {
    const { done, value } = await reader.read();
    if (done) return text;
    text += decoder.decode(value, { stream: true });
  }
  return null;
}
