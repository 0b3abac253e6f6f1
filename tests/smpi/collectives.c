// Collectives as an MPI program writes them, for SMPI to play: smpi_collectives OPERATION BYTES
// CHUNKS prints the simulated seconds until the last rank is done. Buffers are SMPI's shared
// memory, since what is in them does not matter.
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int rank, ranks;
static char* buffer;

static void exchange(int to, int from, size_t bytes) {
  MPI_Sendrecv(buffer, (int)bytes, MPI_BYTE, to, 0, buffer, (int)bytes, MPI_BYTE, from, 0,
               MPI_COMM_WORLD, MPI_STATUS_IGNORE);
}

// A part of S/n to the next rank, 2(n-1) times.
static void ring_all_reduce(size_t bytes) {
  for (int step = 0; step < 2 * (ranks - 1); ++step) {
    exchange((rank + 1) % ranks, (rank + ranks - 1) % ranks, bytes / (size_t)ranks);
  }
}

// In round r a part of S/n to the rank r further on.
static void pairwise_all_to_all(size_t bytes) {
  for (int round = 1; round < ranks; ++round) {
    exchange((rank + round) % ranks, (rank + ranks - round) % ranks, bytes / (size_t)ranks);
  }
}

// Rank 0 has S; every rank passes each chunk on while the next one arrives.
static void chain_broadcast(size_t bytes, int chunks) {
  const int chunk = (int)(bytes / (size_t)chunks);
  MPI_Request arriving = MPI_REQUEST_NULL;
  if (rank > 0) {
    MPI_Irecv(buffer, chunk, MPI_BYTE, rank - 1, 0, MPI_COMM_WORLD, &arriving);
  }
  for (int i = 0; i < chunks; ++i) {
    MPI_Wait(&arriving, MPI_STATUS_IGNORE);
    if (rank > 0 && i + 1 < chunks) {
      MPI_Irecv(buffer, chunk, MPI_BYTE, rank - 1, 0, MPI_COMM_WORLD, &arriving);
    }
    if (rank + 1 < ranks) {
      MPI_Send(buffer, chunk, MPI_BYTE, rank + 1, 0, MPI_COMM_WORLD);
    }
  }
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const size_t bytes = argc == 4 ? strtoull(argv[2], NULL, 10) : 0;
  const int chunks = argc == 4 ? atoi(argv[3]) : 0;
  if (bytes == 0 || chunks == 0) {
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  buffer = SMPI_SHARED_MALLOC(bytes);
  const double start = MPI_Wtime();
  if (strcmp(argv[1], "all-reduce") == 0) {
    ring_all_reduce(bytes);
  } else if (strcmp(argv[1], "all-to-all") == 0) {
    pairwise_all_to_all(bytes);
  } else if (strcmp(argv[1], "broadcast") == 0) {
    chain_broadcast(bytes, chunks);
  } else {
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  const double mine = MPI_Wtime() - start;
  double last = 0;
  MPI_Reduce(&mine, &last, 1, MPI_DOUBLE, MPI_MAX, 0, MPI_COMM_WORLD);
  if (rank == 0) {
    printf("%.9f\n", last);
  }
  SMPI_SHARED_FREE(buffer);
  MPI_Finalize();
  return 0;
}
