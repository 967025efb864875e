import HTTPTypes

extension HTTPRequest {
    /// The request as routes see it, with the target in origin-form.
    init(_ head: RequestHead) {
        var fields = HTTPFields()
        fields.reserveCapacity(head.fields.count)
        for field in head.fields where !head.isNamed(field, "host") {
            guard let name = HTTPField.Name(head.text(field.name)) else { continue }
            fields.append(HTTPField(name: name, value: head.text(field.value)))
        }
        // The grammar lets only tokens pass as a method.
        self.init(
            method: Method(head.method) ?? .get, scheme: "http", authority: head["host"], path: head.target,
            headerFields: fields)
    }
}
