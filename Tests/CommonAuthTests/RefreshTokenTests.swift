import Testing

@testable import CommonAuth

@Suite(.timeLimit(.minutes(1))) struct RefreshTokenTests {
    @Test func `the next refresh token is made of the one before and its salt`() throws {
        let (token, salt) = (RefreshToken(), RefreshToken.makeSalt())
        let next = token.successor(salt: salt)
        #expect(next.text == token.successor(salt: salt).text)
        #expect(RefreshToken(text: next.text)?.hash == next.hash)
        let others = [
            token.text, token.successor(salt: RefreshToken.makeSalt()).text, RefreshToken().successor(salt: salt).text,
            next.successor(salt: salt).text,
        ]
        #expect(!others.contains(next.text))
    }

    @Test func `refresh tokens are random and recognised`() throws {
        let token = RefreshToken()
        #expect(token.text.utf8.count == 43 && token.hash.count == 32)
        #expect(try #require(RefreshToken(text: token.text)).hash == token.hash)
        #expect(RefreshToken().text != token.text)
        for wrong in ["", "x", token.text + "A", String(token.text.dropLast()), String(token.text.dropLast()) + "="] {
            #expect(RefreshToken(text: wrong) == nil)
        }
    }
}
