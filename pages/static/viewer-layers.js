/**
 * Two pictures of the same thing, one over the other, that are moved and zoomed as one.
 * Knows OpenSeadragon and where tiles lie. Knows nothing of the dialog, of the slider between the
 * pictures, or of why a tile might be refused.
 *
 * 100 % means: one pixel of the result is one pixel of the screen.
 */

import { drawerOf } from "./viewer-drawer.js";

const LARGEST = 16; // screen pixels per pixel of the result, each way
const GLIDE = 0.18; // seconds

let library = null;

/** OpenSeadragon, loaded at first use. It is a script and no module: it leaves a global name. */
function openSeadragon() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = new URL("vendor/openseadragon/openseadragon.min.js", import.meta.url).href;
    script.onload = () => resolve(window.OpenSeadragon);
    script.onerror = () => {
      library = null; // the next one who asks may be luckier
      script.remove();
      reject(new TypeError("the viewer could not be loaded"));
    };
    document.head.append(script);
  });
  return library;
}

/**
 * `before` (or null) and `after` are `{host, address, info}`: an element to draw into, the address
 * of a preview, and what it says of itself. Gestures are taken by the element of `after`.
 *
 * `onChange(place)` is called when the pictures have moved: `{percent, isFitted, left, top, right,
 * bottom}`, how many CSS pixels inside the element each edge of the picture lies. `onTrouble()` when
 * a tile did not come.
 */
export async function openLayers({ before, after, isStill, onChange, onTrouble }) {
  const OpenSeadragon = await openSeadragon();
  const layers = new Layers(OpenSeadragon, after, isStill, onChange, onTrouble);
  await layers.lead(before);
  return layers;
}

class Layers {
  constructor(OpenSeadragon, after, isStill, onChange, onTrouble) {
    this._osd = OpenSeadragon;
    this._result = after.info;
    this._onChange = onChange;
    this._onTrouble = onTrouble;
    this._isFitted = true;
    const touch = { dblClickToZoom: true, flickEnabled: !isStill };
    const mouse = { clickToZoom: false, dblClickToZoom: true };
    this._after = this._viewer(after, {
      animationTime: isStill ? 0 : GLIDE,
      preserveImageSizeOnResize: true,
      gestureSettingsMouse: mouse,
      gestureSettingsPen: mouse,
      gestureSettingsTouch: touch,
    });
    this._before = null;
  }

  get _viewport() {
    return this._after.viewport;
  }

  /** The zoom that OpenSeadragon means by one pixel of the result per pixel of the screen. */
  get _one() {
    return this._viewport.imageToViewportZoom(1 / window.devicePixelRatio);
  }

  /** Open both, and let the upper one go where the lower one goes. */
  async lead(before) {
    const viewer = this._after;
    await opened(viewer);
    if (before) {
      // Not sooner: frames are asked for in the order of opening, and the one that follows must
      // come second in each, or it is a frame late.
      this._before = this._viewer(before, { animationTime: 0, mouseNavEnabled: false });
      await opened(this._before);
      // When the window changes it goes its own way; this is heard before it draws.
      this._before.addHandler("viewport-change", () => this._follow());
    }
    let mustFit = false;
    viewer.addHandler("resize", () => {
      this._setLimits();
      mustFit = this._isFitted; // the size of the picture is kept first, and may not be
    });
    viewer.addHandler("viewport-change", () => {
      if (mustFit) this._viewport.goHome(true);
      mustFit = false;
      this._moved();
    });
    for (const gesture of ["drag", "scroll", "pinch", "double-click"]) {
      viewer.addHandler(`canvas-${gesture}`, () => (this._isFitted = false));
    }
    this._setLimits();
    this._viewport.goHome(true);
    this._moved();
  }

  fit() {
    this._isFitted = true;
    this._viewport.goHome();
    this._moved();
  }

  /** Whether the whole picture is shown, and stays so when the window changes. */
  get isFitted() {
    return this._isFitted;
  }

  /** `share` 1 is 1:1, 2 is 2:1. */
  zoomTo(share) {
    this._zoom(this._one * share);
  }

  zoomBy(factor) {
    const { _viewport: viewport } = this;
    const zoom = viewport.getZoom() * factor;
    this._zoom(Math.min(Math.max(zoom, viewport.getMinZoom()), viewport.getMaxZoom()));
  }

  /** Move what is seen by CSS pixels. */
  pan(right, down) {
    this._isFitted = false;
    const { _viewport: viewport } = this;
    viewport.panBy(viewport.deltaPointsFromPixels(new this._osd.Point(right, down)));
    viewport.applyConstraints();
  }

  /** Hand over an event of the mouse wheel that another element received. */
  wheel(event) {
    this._after.canvas.dispatchEvent(new WheelEvent(event.type, event));
  }

  /** Whether one of the pictures can be seen through somewhere. */
  async isClear() {
    const sources = [this._before, this._after].filter(Boolean).map((each) => each.source);
    const looks = await Promise.all(
      sources.map((source) => hasAlpha(source.getTileUrl(source.minLevel, 0, 0))),
    );
    return looks.includes(true);
  }

  destroy() {
    for (const viewer of [this._before, this._after]) viewer?.destroy();
  }

  _zoom(zoom) {
    this._isFitted = false;
    this._viewport.zoomTo(zoom);
    this._viewport.applyConstraints();
  }

  _setLimits() {
    const { _viewport: viewport, _one: one } = this;
    const fitting = viewport.getHomeZoom();
    viewport.minZoomLevel = 0.8 * Math.min(fitting, one);
    viewport.maxZoomLevel = Math.max(fitting, LARGEST * one);
  }

  _follow() {
    const { _viewport: viewport } = this;
    this._before?.viewport.zoomTo(viewport.getZoom(true), null, true);
    this._before?.viewport.panTo(viewport.getCenter(true), true);
  }

  _moved() {
    this._follow();
    const { _viewport: viewport } = this;
    const density = this._osd.pixelDensityRatio;
    const box = viewport.getContainerSize();
    const corner = viewport.pixelFromPoint(new this._osd.Point(0, 0), true);
    const whole = (at) => Math.round(at * density) / density; // as the drawer does
    const [left, top] = [whole(corner.x), whole(corner.y)];
    const zoom = viewport.getZoom(true);
    const width = box.x * zoom;
    this._onChange({
      percent: Math.round((100 * zoom) / this._one),
      isFitted: this._isFitted,
      left,
      top,
      right: box.x - whole(left + width),
      bottom: box.y - whole(top + (width * this._result.height) / this._result.width),
    });
  }

  _viewer({ host, address, info }, options) {
    const viewer = this._osd({
      element: host,
      tileSources: sourceOf(this._osd, address, info),
      drawer: [drawerOf(this._osd)],
      drawerOptions: { custom: { result: this._result } },
      showNavigationControl: false,
      keyboardNavEnabled: false, // keys are the dialog's
      tabIndex: "",
      imageLoaderLimit: 6,
      tileRetryMax: 1,
      ...options,
    });
    viewer.addHandler("tile-load-failed", () => this._onTrouble());
    return viewer;
  }
}

function sourceOf(OpenSeadragon, address, { width, height, tile_size: tileSize, levels }) {
  const top = levels - 1;
  const halvings = Math.ceil(Math.log2(Math.max(width, height) / tileSize));
  return new OpenSeadragon.TileSource({
    width,
    height,
    tileSize,
    minLevel: Math.max(0, top - Math.max(0, halvings)), // the whole picture in one tile
    maxLevel: top,
    getTileUrl: (level, x, y) => `${address}/tiles/${level}/${x}_${y}`,
  });
}

function opened(viewer) {
  return viewer.isOpen() ? undefined : new Promise((done) => viewer.addOnceHandler("open", done));
}

/** Whether the tile at this address has alpha; no, if it does not come. */
async function hasAlpha(address) {
  const tile = new Image();
  tile.src = address;
  try {
    await tile.decode();
  } catch {
    return false; // who draws it finds out, too
  }
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [tile.naturalWidth, tile.naturalHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(tile, 0, 0);
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 3; at < data.length; at += 4) if (data[at] < 255) return true;
  return false;
}
