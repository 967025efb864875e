/**
 * Sends a post to the server once. Never rejects.
 *
 * @param rest a `Rest`
 * @returns the answer: `{status, message}`, or `{status, code, isProblem, retryAfterMs?}` where nothing was stored; without a
 *   `status`, `{retryAfterMs?, isUnsent?}`, where there was no answer, or one that is not the server's
 */
export async function attempt(rest, { key, roomId, messageType, payload, replyToMessageId }) {
  try {
    const body = { roomId, messageType, payload, clientMessageId: key, replyToMessageId }
    const message = await rest.call('messages', 'POST', '/messages', { body })
    return Number.isSafeInteger(message?.messageId) && Number.isSafeInteger(message?.seq) ? { status: 200, message } : {}
  } catch ({ status, code, isProblem, retryAfterMs, isUnsent }) {
    const isAnswer = (status < 200 || status >= 300) && !isUnsent
    return isAnswer ? { status, code, isProblem, retryAfterMs } : { retryAfterMs, isUnsent }
  }
}

/** Makes another call of the same server, which shows whether only the post fails. The answer goes to `Rest.onAnswer`. */
export async function probe(rest, roomId) {
  try { await rest.call('messages', 'GET', `/rooms/${roomId}/messages`, { query: { limit: 1 } }) } catch { /* as good */ }
}
