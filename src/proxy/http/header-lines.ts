// Lines of a response header that the runtime has joined. It keeps Set-Cookie and headers that it does not know
// apart, and joins the others with ", ". For most lists that means the same (RFC 9110 §5.3), but clients look
// for one challenge in a line, and for one link.

/**
 * The lines of a joined value: one for each challenge or link, else the value.
 *
 * @param name lower case
 */
export function headerLines(name: string, value: string): readonly string[] {
  if (name === "link") return elementsOf(value, link);
  if (name !== "www-authenticate" && name !== "proxy-authenticate") return [value];
  const challenges: string[] = [];
  for (const element of elementsOf(value, quotedText)) {
    if (challenges.length === 0 || challengeStart.test(element)) challenges.push(element);
    else challenges[challenges.length - 1] += `, ${element}`;
  }
  return challenges;
}

/** Text in which a comma does not separate (RFC 9110 §5.6.4). */
const quotedText = /"(?:[^"\\]|\\.)*"/y;
/** As `quotedText`, and the target of a link (RFC 8288 §3). */
const link = /"(?:[^"\\]|\\.)*"|<[^>]*>/y;

/** A scheme, alone or before its token or parameters; `name=value` is a parameter (RFC 9110 §11.6.1). */
const challengeStart = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]+[^ \t=]|$)/;

/** The elements of a list; the whole text if a quotation in it does not end. */
function elementsOf(text: string, quotation: RegExp): readonly string[] {
  const elements: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === ",") {
      elements.push(text.slice(start, at).trim());
      start = at + 1;
    } else if (character === '"' || (character === "<" && quotation === link)) {
      quotation.lastIndex = at;
      if (!quotation.test(text)) return [text];
      at = quotation.lastIndex - 1;
    }
  }
  elements.push(text.slice(start).trim());
  return elements.filter((element) => element !== "");
}
