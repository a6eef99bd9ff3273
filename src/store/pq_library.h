#pragma once

#include "base/error.h"

#include <libpq-fe.h>

namespace mcp_oauth {

// What we use of libpq. It is loaded when a database_url of PostgreSQL is opened for the first time: with all
// that it brings along (LDAP, Kerberos, a locale of its own) it would be a good part of the memory and of the
// start of a gateway whose database is a file.
struct pq_library {
  decltype(&PQconnectStartParams) connect_start;
  decltype(&PQconnectPoll) connect_poll;
  decltype(&PQreset) reset;
  decltype(&PQfinish) finish;
  decltype(&PQstatus) status;
  decltype(&PQsocket) socket;
  decltype(&PQerrorMessage) error_message;
  decltype(&PQsetErrorVerbosity) set_error_verbosity;
  decltype(&PQsetNoticeReceiver) set_notice_receiver;
  decltype(&PQsetnonblocking) set_nonblocking;
  decltype(&PQtransactionStatus) transaction_status;
  decltype(&PQconninfoParse) conninfo_parse;
  decltype(&PQconninfoFree) conninfo_free;
  decltype(&PQfreemem) free_memory;
  decltype(&PQsendQuery) send_query;
  decltype(&PQsendPrepare) send_prepare;
  decltype(&PQsendQueryPrepared) send_query_prepared;
  decltype(&PQenterPipelineMode) enter_pipeline;
  decltype(&PQexitPipelineMode) exit_pipeline;
  decltype(&PQpipelineSync) pipeline_sync;
  decltype(&PQflush) flush;
  decltype(&PQconsumeInput) consume_input;
  decltype(&PQisBusy) is_busy;
  decltype(&PQgetResult) get_result;
  decltype(&PQnotifies) notifies;
  decltype(&PQresultStatus) result_status;
  decltype(&PQresultErrorField) result_error_field;
  decltype(&PQntuples) rows;
  decltype(&PQgetvalue) value;
  decltype(&PQgetlength) length;
  decltype(&PQgetisnull) is_null;
  decltype(&PQcmdTuples) affected;
  decltype(&PQclear) clear;
};

// The same one each time; from any thread. Errors: store_unavailable, when there is no libpq.so.5 on this
// machine.
result<const pq_library*> load_pq();

}  // namespace mcp_oauth
