/**
 * Draws a picture's tiles so that pixels are what they are: at 1:1 a pixel of the result is a pixel
 * of the screen. Knows OpenSeadragon's `DrawerBase`, and nothing of dialogs or addresses.
 *
 * OpenSeadragon's own canvas drawer enlarges every tile by a pixel to hide the seams between tiles
 * that do not overlap, as ours do not. At 1:1 that resamples, and blurs, what is to be judged.
 * Here instead the picture starts on a whole pixel of the screen, and what is enlarged is put
 * together from its tiles first and enlarged once, so that no tile's border can be seen.
 */

/** Above this many screen pixels per pixel of the result, pixels are shown as squares. */
const SHARP_ABOVE = 4.01; // four steps of the zoom keys end a hair above 4

/** Enlarging mixes neighbours: so many pixels beyond the visible ones are put together, too. */
const MARGIN = 2;

/**
 * The drawer's class. Its option `result` is the size `{width, height}` that decides when pixels
 * are squares, and whose proportions a picture is drawn with: those of the original differ from
 * them by a rounded pixel.
 */
export function drawerOf(OpenSeadragon) {
  return class TileDrawer extends OpenSeadragon.DrawerBase {
    constructor(options) {
      super(options);
      this._context = this.canvas.getContext("2d");
      this._patch = document.createElement("canvas").getContext("2d");
    }

    static isSupported() {
      return true;
    }

    getType() {
      return "tiles";
    }

    getSupportedDataFormats() {
      return ["context2d"];
    }

    canRotate() {
      return false;
    }

    /** Asked for by the contract; it is the zoom that decides here. */
    setImageSmoothingEnabled() {}

    _createDrawingElement() {
      return document.createElement("canvas");
    }

    destroy() {
      super.destroy();
      for (const canvas of [this.canvas, this._patch.canvas]) canvas.width = canvas.height = 0;
      this.canvas.remove();
    }

    draw(images) {
      const density = OpenSeadragon.pixelDensityRatio;
      const box = this.viewport.getContainerSize().times(density);
      clear(this._context, Math.round(box.x), Math.round(box.y));
      const corner = this.viewport.pixelFromPoint(new OpenSeadragon.Point(0, 0), true);
      const { result } = this.options;
      const scale = (box.x * this.viewport.getZoom(true)) / result.width;
      const place = {
        left: Math.round(corner.x * density),
        top: Math.round(corner.y * density),
        width: scale * result.width,
        height: scale * result.height,
      };
      const isSmooth = scale <= SHARP_ABOVE;
      for (const image of images) {
        const tiles = image.getTilesToDraw().map(({ tile }) => this._pixelsOf(tile, image.source));
        const size = image.source.dimensions;
        if (place.width > size.x) this._enlarge(tiles, size, place, isSmooth);
        else this._reduce(tiles, size, place);
      }
    }

    /** A tile's pixels, and the part of the whole picture, in its pixels, that they show. */
    _pixelsOf(tile, source) {
      const { canvas } = this.getDataToDraw(tile);
      const scale = 2 ** (source.maxLevel - tile.level);
      const side = source.getTileWidth(tile.level) * scale;
      const left = tile.x * side;
      const top = tile.y * side;
      return {
        canvas,
        left,
        top,
        right: Math.min(source.dimensions.x, left + canvas.width * scale),
        bottom: Math.min(source.dimensions.y, top + canvas.height * scale),
      };
    }

    _reduce(tiles, size, place) {
      const x = (at) => Math.round(place.left + (at / size.x) * place.width);
      const y = (at) => Math.round(place.top + (at / size.y) * place.height);
      for (const tile of tiles) {
        put(this._context, tile, x(tile.left), y(tile.top), x(tile.right), y(tile.bottom));
      }
    }

    _enlarge(tiles, size, place, isSmooth) {
      const { canvas } = this._context;
      const [left, right] = seen(place.left, place.width / size.x, size.x, canvas.width);
      const [top, bottom] = seen(place.top, place.height / size.y, size.y, canvas.height);
      const [width, height] = [right - left, bottom - top];
      if (width <= 0 || height <= 0) return;
      clear(this._patch, width, height, "at least");
      for (const tile of tiles) {
        const [x, y] = [tile.left - left, tile.top - top];
        put(this._patch, tile, x, y, tile.right - left, tile.bottom - top);
      }
      const [across, down] = [place.width / size.x, place.height / size.y];
      this._context.imageSmoothingEnabled = isSmooth;
      this._context.drawImage(
        ...[this._patch.canvas, 0, 0, width, height],
        ...[place.left + left * across, place.top + top * down, width * across, height * down],
      );
      this._context.imageSmoothingEnabled = true;
    }
  };
}

/** First and last+1 of the pixels that can be seen, of `count` that begin at `start`. */
function seen(start, scale, count, length) {
  return [
    Math.max(0, Math.floor(-start / scale) - MARGIN),
    Math.min(count, Math.ceil((length - start) / scale) + MARGIN),
  ];
}

/** Coarser tiles come first; where the picture is transparent, they would show through. */
function put(context, { canvas }, left, top, right, bottom) {
  context.clearRect(left, top, right - left, bottom - top);
  context.drawImage(canvas, left, top, right - left, bottom - top);
}

/** Give the canvas its size, or `at least` that: a new size costs a new canvas. */
function clear(context, width, height, atLeast) {
  const { canvas } = context;
  const fits = atLeast
    ? canvas.width >= width && canvas.height >= height
    : canvas.width === width && canvas.height === height;
  if (fits) {
    context.clearRect(0, 0, canvas.width, canvas.height);
  } else {
    canvas.width = atLeast ? Math.max(width, canvas.width) : width;
    canvas.height = atLeast ? Math.max(height, canvas.height) : height;
  }
}
