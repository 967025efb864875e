import Testing

@testable import PostgresClient

/// Every type on its way to the server and back.
@Suite(.timeLimit(.minutes(2))) struct ValueTests {
    @Test func `scalars round trip`() async throws {
        let precise = PostgresTimestamp(microsecondsSinceEpoch: 1_775_307_200_123_456)
        try await withClient { client in
            let rows = try await client.query(
                "SELECT $1::int8, $2::int8, $3::int4, $4::text, $5::bool, $6::bytea, $7::timestamptz, $8::timestamptz",
                .int8(.max), .int8(.min), .int4(.min), .text("Grüße, 世界 🎈"), .bool(true), .bytea([0, 255, 0]),
                .timestamptz(precise), .timestamptz(microsecondsSinceEpoch: -1))
            let row = try #require(rows.first)
            let (maximum, minimum, small, text, flag, bytes, time, before) = try row.decode(
                Int64.self, Int.self, Int32.self, String.self, Bool.self, [UInt8].self, PostgresTimestamp.self,
                PostgresTimestamp.self)
            #expect(maximum == .max && minimum == .min && small == .min && text == "Grüße, 世界 🎈" && flag)
            #expect(bytes == [0, 255, 0])
            #expect(time == precise)
            #expect(before.microsecondsSinceEpoch == -1)
        }
    }

    @Test func `the server reads values as they were encoded`() async throws {
        try await withClient { client in
            let row = try await client.query(
                "SELECT $1::text, $2::text, $3::text, $4::text, $5::text, $6::text, $7::text",
                .text(""), .text("x"), .text(nil), .text("\u{10FFFF}"), .text("'"), .text("\\"), .text("\n"))[0]
            #expect(try row.decode(column: 2, as: String?.self) == nil)
            let texts = try await client.query(
                "SELECT ($1::int8)::text, ($2::timestamptz)::text, ($3::bytea)::text, ($4::int8[])::text, ($5::bool)::text",
                .int8(-5), .timestamptz(microsecondsSinceEpoch: 1_700_000_000_123_456), .bytea([1, 171]),
                .int8Array([1, nil, -3]), .bool(false))[0].decode(
                    String.self, String.self, String.self, String.self, String.self)
            #expect(texts.0 == "-5")
            #expect(texts.1 == "2023-11-14 22:13:20.123456+00")
            #expect(texts.2 == #"\x01ab"#)
            #expect(texts.3 == "{1,NULL,-3}")
            #expect(texts.4 == "false")
        }
    }

    @Test func `nulls round trip for every type`() async throws {
        try await withClient { client in
            let row = try await client.query(
                "SELECT $1::int8, $2::int4, $3::text, $4::bool, $5::bytea, $6::timestamptz, $7::int8[]",
                .int8(nil), .int4(nil), .text(nil), .bool(nil), .bytea(nil), .timestamptz(nil as PostgresTimestamp?),
                .int8Array(nil))[0]
            let values = try row.decode(
                Int64?.self, Int32?.self, String?.self, Bool?.self, [UInt8]?.self, PostgresTimestamp?.self,
                [Int64]?.self)
            #expect(values.0 == nil && values.1 == nil && values.2 == nil && values.3 == nil)
            #expect(values.4 == nil && values.5 == nil && values.6 == nil)
            #expect(throws: PostgresError.self) { try row.decode(column: 0, as: Int64.self) }
        }
    }

    @Test func `arrays round trip with nulls and empty`() async throws {
        try await withClient { client in
            let row = try await client.query(
                "SELECT $1::int8[], $2::int4[], $3::text[], $4::bool[], $5::bytea[], $6::text[]",
                .int8Array([.min, nil, .max]), .int4Array([1, nil]), .textArray(["a", "", nil, "ü,{}\""]),
                .boolArray([true, nil, false]), .byteaArray([[], nil, [0]]), .textArray([]))[0]
            let values = try row.decode(
                [Int64?].self, [Int32?].self, [String?].self, [Bool?].self, [[UInt8]?].self, [String].self)
            #expect(values.0 == [.min, nil, .max])
            #expect(values.1 == [1, nil])
            #expect(values.2 == ["a", "", nil, "ü,{}\""])
            #expect(values.3 == [true, nil, false])
            #expect(values.4 == [[], nil, [0]])
            #expect(values.5 == [])
            #expect(throws: PostgresError.self) { try row.decode(column: 0, as: [Int64].self) }
        }
    }

    @Test func `columns of similar types are decoded`() async throws {
        try await withClient { client in
            let row = try await client.query(
                """
                SELECT 7::int2, 8::int4, 'v'::varchar(3), '{"a": 1}'::json, '{"a":1}'::jsonb, 'n'::name,
                ARRAY[1, 2]::int2[]
                """)[0]
            let values = try row.decode(
                Int.self, Int64.self, String.self, String.self, String.self, String.self, [Int].self)
            #expect(values.0 == 7 && values.1 == 8 && values.2 == "v" && values.3 == #"{"a": 1}"#)
            #expect(values.4 == #"{"a": 1}"# && values.5 == "n" && values.6 == [1, 2])
        }
    }

    @Test func `a mismatch is an error that names the column`() async throws {
        try await withClient { client in
            let row = try await client.query("SELECT 1::int8 AS id, 'x'::text AS name")[0]
            #expect(throws: PostgresError.decoding("2 columns where 1 were expected")) { try row.decode(Int64.self) }
            #expect(throws: PostgresError.decoding("column id: int8 where Int32 was expected")) {
                try row.decode(column: 0, as: Int32.self)
            }
            #expect(throws: PostgresError.decoding("column name: text where Int was expected")) {
                try row.decode(Int64.self, Int.self)
            }
            #expect(throws: PostgresError.decoding("no column at 2")) { try row.decode(column: 2, as: Int64.self) }
            #expect(try row.decode(column: 1, as: String.self) == "x")
            let infinite = try await client.query("SELECT 'infinity'::timestamptz, ARRAY[ARRAY[1]]")[0]
            #expect(throws: PostgresError.self) { try infinite.decode(column: 0, as: PostgresTimestamp.self) }
            #expect(throws: PostgresError.self) { try infinite.decode(column: 1, as: [Int].self) }
        }
    }
}
