#include "store/pq_library.h"

#include <string>

#include <dlfcn.h>

namespace mcp_oauth {
namespace {

struct loaded {
  pq_library functions{};
  std::string failure;

  loaded() {
    // Never unloaded: what it keeps per thread goes with the threads.
    void* library = ::dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    auto& f = functions;
    bool all = library != nullptr && find(library, "PQconnectStartParams", f.connect_start) &&
               find(library, "PQconnectPoll", f.connect_poll) && find(library, "PQreset", f.reset) &&
               find(library, "PQfinish", f.finish) && find(library, "PQstatus", f.status) &&
               find(library, "PQsocket", f.socket) && find(library, "PQerrorMessage", f.error_message) &&
               find(library, "PQsetErrorVerbosity", f.set_error_verbosity) &&
               find(library, "PQsetNoticeReceiver", f.set_notice_receiver) &&
               find(library, "PQsetnonblocking", f.set_nonblocking) &&
               find(library, "PQtransactionStatus", f.transaction_status) &&
               find(library, "PQconninfoParse", f.conninfo_parse) &&
               find(library, "PQconninfoFree", f.conninfo_free) &&
               find(library, "PQfreemem", f.free_memory) && find(library, "PQsendQuery", f.send_query) &&
               find(library, "PQsendPrepare", f.send_prepare) &&
               find(library, "PQsendQueryPrepared", f.send_query_prepared) &&
               find(library, "PQenterPipelineMode", f.enter_pipeline) &&
               find(library, "PQexitPipelineMode", f.exit_pipeline) &&
               find(library, "PQpipelineSync", f.pipeline_sync) && find(library, "PQflush", f.flush) &&
               find(library, "PQconsumeInput", f.consume_input) && find(library, "PQisBusy", f.is_busy) &&
               find(library, "PQgetResult", f.get_result) && find(library, "PQnotifies", f.notifies) &&
               find(library, "PQresultStatus", f.result_status) &&
               find(library, "PQresultErrorField", f.result_error_field) &&
               find(library, "PQntuples", f.rows) && find(library, "PQgetvalue", f.value) &&
               find(library, "PQgetlength", f.length) && find(library, "PQgetisnull", f.is_null) &&
               find(library, "PQcmdTuples", f.affected) && find(library, "PQclear", f.clear);
    if (all) return;
    const char* why = ::dlerror();
    failure = "libpq 14 or newer cannot be used (Debian: apt install libpq5)";
    if (why != nullptr) failure += std::string(": ") + why;
  }

  template <class F>
  static bool find(void* library, const char* name, F& into) {
    into = reinterpret_cast<F>(::dlsym(library, name));
    return into != nullptr;
  }
};

}  // namespace

result<const pq_library*> load_pq() {
  static const loaded once;
  if (!once.failure.empty()) return fail(errc::store_unavailable, once.failure);
  return &once.functions;
}

}  // namespace mcp_oauth
