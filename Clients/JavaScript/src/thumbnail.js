// A small picture of a picture, made by the browser.

const SIDE = 320
const MAXIMUM_BYTES = 512 * 1024

/**
 * @param {Blob} picture
 * @returns {Promise<Blob | undefined>} at most 320 pixels per side, as WebP, or PNG if the browser cannot encode WebP;
 *   `undefined` if it cannot be made, or the picture is no larger itself
 */
export async function thumbnailOf(picture) {
  if (typeof createImageBitmap !== 'function' || typeof OffscreenCanvas !== 'function') return undefined
  let bitmap
  try {
    // Turned as EXIF says.
    bitmap = await createImageBitmap(picture)
    const scale = SIDE / Math.max(bitmap.width, bitmap.height)
    if (scale >= 1) return undefined
    const canvas = new OffscreenCanvas(Math.max(1, Math.round(bitmap.width * scale)), Math.max(1, Math.round(bitmap.height * scale)))
    const context = canvas.getContext('2d')
    context.imageSmoothingQuality = 'high'
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height)
    const thumbnail = await canvas.convertToBlob({ type: 'image/webp', quality: 0.8 })
    return thumbnail.size <= MAXIMUM_BYTES ? thumbnail : undefined
  } catch {
    // A picture that this browser does not show, or a canvas that it refuses.
    return undefined
  } finally {
    bitmap?.close()
  }
}
