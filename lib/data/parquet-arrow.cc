/* SPDX-License-Identifier: Apache-2.0 */
/* Parquet by Apache Arrow, behind a door that C can use. */

#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include <arrow/c/bridge.h>
#include <arrow/config.h>
#include <arrow/io/file.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <parquet/arrow/reader.h>
#include <parquet/exception.h>
#include <parquet/file_reader.h>
#include <parquet/properties.h>

#include "data/parquet-arrow.h"

namespace {

/* Rows at once: enough that a column's cost is shared, few enough that they
 * are small, for a row may be a book. */
constexpr int64_t batch_rows = 256;
/* Bytes of a column chunk that are read at once, of a chunk of any size. */
constexpr int64_t stream_bytes = 1 << 20;
/* A page says itself how large it will be; more than that is a lie. */
constexpr int64_t most_memory = int64_t(1) << 30;

}

struct peft_arrow_file {
	/* before the readers, which give back to it what they had */
	arrow::CappedMemoryPool pool;
	std::unique_ptr<parquet::arrow::FileReader> reader;
	std::unique_ptr<arrow::RecordBatchReader> rows;
	int group = -1;

	peft_arrow_file(void) :
	    pool(arrow::default_memory_pool(), most_memory) {}
};

namespace {

/* Reason, on one line. */
void
tell(const std::string &reason, char *why, size_t n)
{
	std::snprintf(why, n, "%s", reason.c_str());
	for (char *p = why; *p != '\0'; p++)
		if (static_cast<unsigned char>(*p) < 0x20)
			*p = ' ';
}

arrow::Status
open_file(struct peft_arrow_file *f, const char *path,
    struct ArrowSchema *schema)
{
	parquet::ReaderProperties how(&f->pool);
	parquet::ArrowReaderProperties rows(/* use_threads */ false);
	parquet::arrow::FileReaderBuilder builder;
	std::shared_ptr<arrow::Schema> type;

	how.enable_buffered_stream();
	how.set_buffer_size(stream_bytes);
	rows.set_pre_buffer(false);
	rows.set_batch_size(batch_rows);
	ARROW_ASSIGN_OR_RAISE(auto in, arrow::io::ReadableFile::Open(path,
	    &f->pool));
	ARROW_RETURN_NOT_OK(builder.Open(in, how));
	builder.memory_pool(&f->pool)->properties(rows);
	ARROW_ASSIGN_OR_RAISE(f->reader, builder.Build());
	ARROW_RETURN_NOT_OK(f->reader->GetSchema(&type));
	return arrow::ExportSchema(*type, schema);
}

/* Of all row groups, one after the other; none left: *out stays empty. */
arrow::Status
next_batch(struct peft_arrow_file *f, std::shared_ptr<arrow::RecordBatch> *out)
{
	for (;;) {
		if (f->rows != nullptr) {
			ARROW_RETURN_NOT_OK(f->rows->ReadNext(out));
			if (*out != nullptr)
				return (*out)->ValidateFull();
		}
		if (f->group + 1 >= f->reader->num_row_groups())
			return arrow::Status::OK();
		f->group++;
		ARROW_ASSIGN_OR_RAISE(f->rows,
		    f->reader->GetRecordBatchReader({ f->group }));
	}
}

/* What work() says, with exceptions as a reason too. */
template <typename Work>
int
guarded(Work work, char *why, size_t n)
{
	try {
		arrow::Status s = work();

		if (s.ok())
			return 0;
		tell(s.message(), why, n);
	} catch (const std::exception &e) {
		tell(e.what(), why, n);
	} catch (...) {
		tell("an exception without a name", why, n);
	}
	return -1;
}

}

extern "C" struct peft_arrow_file *
peft_arrow_open(const char *path, struct ArrowSchema *schema, char *why,
    size_t n)
{
	struct peft_arrow_file *f = nullptr;

	if (guarded([&] {
		f = new peft_arrow_file();
		return open_file(f, path, schema);
	}, why, n) == 0)
		return f;
	delete f;
	return nullptr;
}

extern "C" int
peft_arrow_next(struct peft_arrow_file *f, struct ArrowArray *rows, int *group,
    char *why, size_t n)
{
	std::shared_ptr<arrow::RecordBatch> batch;
	int r = guarded([&] {
		ARROW_RETURN_NOT_OK(next_batch(f, &batch));
		return batch == nullptr ? arrow::Status::OK() :
		    arrow::ExportRecordBatch(*batch, rows);
	}, why, n);

	*group = f->group;
	return r == -1 ? -1 : batch != nullptr;
}

extern "C" void
peft_arrow_close(struct peft_arrow_file *f)
{
	delete f;
}

extern "C" const char *
peft_arrow_version(void)
{
	static const std::string said = "Arrow " +
	    arrow::GetBuildInfo().version_string;

	return said.c_str();
}
