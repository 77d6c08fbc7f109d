// Style sheets of pieces that not every visitor opens.

const known = new Map();

/** Load `{name}.css`, once. A piece without it is better than none: never rejects. */
export function styled(name) {
  if (!known.has(name)) {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL(`${name}.css`, import.meta.url).href;
    const loading = new Promise((resolve) => {
      link.onload = resolve;
      link.onerror = () => {
        known.delete(name); // the next one who asks may be luckier
        link.remove();
        resolve();
      };
    });
    known.set(name, loading);
    document.head.append(link);
  }
  return known.get(name);
}
