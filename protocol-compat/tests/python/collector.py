"""A collector of traces: takes OTLP over HTTP as OpenTelemetry's own generated messages read it, and writes each span as a
line of JSON. `collector.py PORT FILE`; port 0 is any. It says `listening PORT` when it does."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status


def attributes(pairs):
    found = {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
    assert len(found) == len(pairs), "each key once"
    return found


def lines(request):
    for of_resource in request.resource_spans:
        resource = attributes(of_resource.resource.attributes)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                yield json.dumps(
                    {
                        "resource": resource,
                        "scope": of_scope.scope.name,
                        "trace": span.trace_id.hex(),
                        "id": span.span_id.hex(),
                        "parent": span.parent_span_id.hex(),
                        "flags": span.flags,
                        "name": span.name,
                        "kind": Span.SpanKind.Name(span.kind),
                        "start": span.start_time_unix_nano,
                        "end": span.end_time_unix_nano,
                        "attributes": attributes(span.attributes),
                        "status": Status.StatusCode.Name(span.status.code),
                    }
                )


def has_unknown_fields(message):
    """Whether anything in it has a number that its type does not know."""
    if len(UnknownFieldSet(message)):
        return True
    values = [value for field, value in message.ListFields() if field.type == field.TYPE_MESSAGE]
    parts = [part for value in values for part in (value if hasattr(value, "__len__") else [value])]
    return any(has_unknown_fields(part) for part in parts)


class Collector(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != "/v1/traces" or self.headers["Content-Type"] != "application/x-protobuf":
            return self.answer(404, b"")
        try:
            request = ExportTraceServiceRequest.FromString(body)
        except DecodeError:
            return self.answer(400, b"")
        if has_unknown_fields(request):
            return self.answer(400, b"")
        with open(sys.argv[2], "a") as file:
            file.write("".join(line + "\n" for line in lines(request)))
        self.answer(200, ExportTraceServiceResponse().SerializeToString())

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Collector)
print("listening", server.server_address[1])
server.serve_forever()
