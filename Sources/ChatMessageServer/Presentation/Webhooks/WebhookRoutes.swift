import CommonServer
import CommonUtil
import Hummingbird

/// The routes of webhooks.
enum WebhookRoutes {
    private static let path = "/api/v1/webhooks"

    static func add(to routes: inout Routes, _ webhooks: WebhookService) {
        routes.post(path, forKeysWith: .changes) { request, context in
            let asked = try WebhookRequest(try await request.fields(context), isNew: true)
            return Response(json: try await webhooks.make(asked), status: .created)
        }
        routes.get(path, forKeysWith: .changes) { _, _ in
            Response(json: try await webhooks.all())
        }
        routes.get(path + "/{id}", forKeysWith: .changes) { _, context in
            Response(json: try await webhooks.webhook(context.pathParameter("id")))
        }
        routes.patch(path + "/{id}", forKeysWith: .changes) { request, context in
            let asked = try WebhookRequest(try await request.fields(context), isNew: false)
            return Response(json: try await webhooks.change(context.pathParameter("id"), asked))
        }
        routes.delete(path + "/{id}", forKeysWith: .changes) { _, context in
            try await webhooks.delete(context.pathParameter("id"))
            return .noContent
        }
        for (name, isPaused) in [("pause", true), ("resume", false)] {
            routes.post(path + "/{id}/\(name)", forKeysWith: .changes) { _, context in
                Response(json: try await webhooks.setPaused(context.pathParameter("id"), isPaused))
            }
        }
        routes.post(path + "/{id}/replay", forKeysWith: .changes) { request, context in
            var fields = try await request.fields(context)
            let after = fields.string("after", length: 1...Int.max)
            let start = after.flatMap { ChangeStart(text: $0) }
            if after != nil, start == nil { fields.note("after", ChangeStart.requirement) }
            try fields.finish()
            guard let start else { throw fields.incomplete }
            try await webhooks.replay(context.pathParameter("id"), from: start)
            return Response(status: .accepted)
        }
        routes.get(path + "/{id}/deliveries", forKeysWith: .changes) { _, context in
            Response(json: try await webhooks.attempts(of: context.pathParameter("id")))
        }
    }
}
